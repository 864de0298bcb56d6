#include "block_descent.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr index_t kDirect = 1500;  // cells up to which Newton's system is factored
constexpr int kNewton = 30;        // steps with one set of cells
constexpr int kProximal = 10;      // steps within a block with an L1 part
constexpr double kJitter = 1e-13;  // of the largest diagonal: dependent columns get a direction that a kink ends

double norm(const double* x, index_t count) {
  double total = 0.0;
  for (index_t i = 0; i < count; ++i) total += x[i] * x[i];
  return std::sqrt(total);
}

bool all_zero(const double* x, index_t count) {
  return std::all_of(x, x + count, [](double value) { return value == 0.0; });
}

}  // namespace

void BlockDescent::gather(const Block& block, const double* from, double* to) const {
  for (index_t k = block.first; k < block.last; ++k, to += block.size)
    std::copy_n(from + k * size_ + block.from, block.size, to);
}

// Eigenvectors of the blocks that came since the last time, or of all where H has changed.
void BlockDescent::decompose() {
  if (version_ != matrix_.version) {
    vectors_.clear();
    known_.assign(size_, 0);
    version_ = matrix_.version;
  }
  values_.resize(size_);
  vectors_at_.resize(size_);
  known_.resize(size_, 0);
  std::vector<double> work;
  for (const Block& block : *blocks_) {
    if (known_[block.from] == block.size) continue;
    known_[block.from] = block.size;
    vectors_at_[block.from] = static_cast<index_t>(vectors_.size());
    if (block.size == 1) {
      values_[block.from] = curvature(block.from);
      vectors_.push_back(1.0);
      continue;
    }
    for (index_t k = 0; k < block.size; ++k) {
      const double* column = matrix_.column(block.from + k) + block.from;
      vectors_.insert(vectors_.end(), column, column + block.size);
    }
    char job = 'V', uplo = 'U';
    int n = static_cast<int>(block.size), lwork = 34 * n, info = 0;
    work.resize(lwork);
    blas().dsyev(&job, &uplo, &n, vectors_.data() + vectors_at_[block.from], &n, values_.data() + block.from,
                 work.data(), &lwork, &info);
    for (index_t k = 0; k < block.size; ++k) values_[block.from + k] = std::max(0.0, values_[block.from + k]);
  }
}

void BlockDescent::move(const Block& block, const double* delta) {
  for (index_t k = block.first; k < block.last; ++k, delta += block.size) {
    index_t i = 0;
    for (; i + 4 <= block.size; i += 4) {
      const double* columns[4];
      double a[4];
      for (index_t q = 0; q < 4; ++q) {
        columns[q] = matrix_.column(block.from + i + q);
        a[q] = -delta[i + q];
      }
      simd::axpy4(a, columns, slope_ + k * size_, size_);
    }
    for (; i < block.size; ++i)
      if (delta[i] != 0.0) simd::axpy(-delta[i], matrix_.column(block.from + i), slope_ + k * size_, size_);
  }
}

// next_: the block's minimiser without L1 part, in the eigenbasis of H_gg, where the model is a sum over coordinates.
void BlockDescent::update_norm(const Block& block) {
  const index_t m = block.size, cells = block.cells();
  const double* Q = vectors_.data() + vectors_at_[block.from];
  rotated_.resize(2 * cells);
  bends_.resize(cells);
  double* before = rotated_.data();
  double* z = before + cells;
  for (index_t k = 0; k < cells / m; ++k)
    for (index_t i = 0; i < m; ++i) {
      const double h = values_[block.from + i], b = simd::dot(Q + i * m, now_.data() + k * m, m);
      before[k * m + i] = b;
      bends_[k * m + i] = h;
      z[k * m + i] = h > 0.0 ? simd::dot(Q + i * m, pull_.data() + k * m, m) + h * b : 0.0;
    }
  std::vector<double>& u = change_;
  u.resize(std::max<size_t>(u.size(), cells));
  minimise_norm(block.term, bends_.data(), z, cells, norm(now_.data(), cells), u.data());
  std::fill_n(next_.begin(), cells, 0.0);
  for (index_t k = 0; k < cells / m; ++k)
    for (index_t i = 0; i < m; ++i) {
      const index_t at = k * m + i;
      simd::axpy(u[at], Q + i * m, next_.data() + k * m, m);
      const double moved = u[at] - before[at], slope = (bends_[at] + block.term.ridge) * moved;
      off_ += slope * slope;
      gain_ += slope * moved;
    }
  off_ = std::sqrt(off_);
}

// next_: closer to the block's minimiser by proximal gradient steps; what is left is the next sweep's or Newton's.
void BlockDescent::update_sparse(const Block& block) {
  const index_t m = block.size, cells = block.cells();
  double step = 0.0;
  for (index_t i = 0; i < m; ++i) step = std::max(step, values_[block.from + i]);
  std::copy_n(now_.begin(), cells, next_.begin());
  if (!(step + block.term.ridge > 0.0)) return;
  rotated_.resize(2 * cells);
  double* from = rotated_.data();
  double* z = from + cells;
  const auto slopes_at = [&](const double* b) {
    std::copy_n(pull_.data(), cells, z);
    for (index_t k = 0; k < cells / m; ++k)
      for (index_t i = 0; i < m; ++i) {
        const double moved = b[k * m + i] - now_[k * m + i];
        if (moved != 0.0) simd::axpy(-moved, matrix_.column(block.from + i) + block.from, z + k * m, m);
      }
  };
  std::fill_n(next_.begin(), cells, 0.0);
  slopes_at(next_.data());
  if (block.term.excess(z, cells) > 0.0) {
    std::copy_n(now_.data(), cells, from);
    for (int turn = 0; turn < kProximal; ++turn) {
      slopes_at(from);
      proximal_step(block.term, step, from, z, cells, next_.data());
      double moved = 0.0;
      for (index_t i = 0; i < cells; ++i) moved = std::max(moved, std::abs(next_[i] - from[i]));
      if (moved <= 1e-3 * norm(next_.data(), cells) * precision_->share) break;
      std::copy_n(next_.data(), cells, from);
    }
  }
  double squares = 0.0;
  for (index_t i = 0; i < cells; ++i) squares += (next_[i] - now_[i]) * (next_[i] - now_[i]);
  off_ = (step + block.term.ridge) * std::sqrt(squares);
  gain_ = (step + block.term.ridge) * squares;
}

// One block to its minimiser; whether that gained what counts.
bool BlockDescent::update(const Block& block) {
  const index_t cells = block.cells();
  const BlockTerm& term = block.term;
  const double hold = term.l1 + term.l2;
  off_ = gain_ = 0.0;
  if (cells == 1) {
    const index_t at = block.first * size_ + block.from;
    const double h = values_[block.from], b = beta_[at];
    if (!(h + term.ridge > 0.0)) return false;
    if (b == 0.0 && std::abs(slope_[at]) <= (1.0 + 1e-12) * hold + precision_->noise * std::sqrt(h)) return false;
    now_[0] = b;
    next_[0] = term.minimiser(h * b + slope_[at], h);
    off_ = (h + term.ridge) * std::abs(next_[0] - b);
    gain_ = off_ * std::abs(next_[0] - b);
  } else {
    gather(block, beta_, now_.data());
    gather(block, slope_, pull_.data());
    const bool off = all_zero(now_.data(), cells);
    if (off && term.excess(pull_.data(), cells) <= 1e-12 * hold + precision_->noise) return false;
    if (term.l1 > 0.0)
      update_sparse(block);
    else
      update_norm(block);
  }
  if (off_ <= kNothing * precision_->share * hold && gain_ <= kNothing * precision_->enough) return false;
  if (gain_ == 0.0) return false;
  for (index_t i = 0; i < cells; ++i) now_[i] = next_[i] - now_[i];
  move(block, now_.data());
  const double* value = next_.data();
  for (index_t k = block.first; k < block.last; ++k, value += block.size)
    std::copy_n(value, block.size, beta_ + k * size_ + block.from);
  return gain_ > precision_->enough || off_ > precision_->share * hold;
}

bool BlockDescent::sweep() {
  bool gained = false;
  for (const Block& block : *blocks_) gained = update(block) || gained;
  return gained;
}

void BlockDescent::collect() {
  cells_.clear();
  for (size_t number = 0; number < blocks_->size(); ++number) {
    const Block& block = (*blocks_)[number];
    const BlockTerm& term = block.term;
    bool on = term.free();
    for (index_t k = block.first; k < block.last && !on; ++k)
      on = !all_zero(beta_ + k * size_ + block.from, block.size);
    if (!on) continue;
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t j = block.from; j < block.from + block.size; ++j) {
        const double b = beta_[k * size_ + j];
        const bool kink = b == 0.0 && (term.l1 > 0.0 || (block.cells() == 1 && !term.free()));
        const bool flat = curvature(j) <= 0.0 && term.free() && term.ridge == 0.0;
        if (!kink && !flat && b > term.lower && b < term.upper)
          cells_.push_back({j, k, static_cast<index_t>(number)});
      }
  }
}

// Minus the gradient of model and penalty in the free cells, and its Hessian, upper triangle by columns.
void BlockDescent::newton_system() {
  const index_t n = static_cast<index_t>(cells_.size());
  gradient_.resize(n);
  hessian_.assign(n * n, 0.0);
  for (index_t a = 0; a < n; ++a) {
    const Cell& cell = cells_[a];
    const BlockTerm& term = (*blocks_)[cell.block].term;
    const double b = beta_[cell.predictor * size_ + cell.position];
    gradient_[a] = slope_[cell.predictor * size_ + cell.position] - term.ridge * b -
                   (b > 0.0 ? term.l1 : (b < 0.0 ? -term.l1 : 0.0));
    const double* column = matrix_.column(cell.position);
    for (index_t c = 0; c <= a; ++c)
      if (cells_[c].predictor == cell.predictor) hessian_[a * n + c] = column[cells_[c].position];
    hessian_[a * n + a] += term.ridge;
  }
  for (index_t first = 0; first < n;) {  // cells of a block follow one another
    index_t last = first;
    double squares = 0.0;
    for (; last < n && cells_[last].block == cells_[first].block; ++last) {
      const double b = beta_[cells_[last].predictor * size_ + cells_[last].position];
      squares += b * b;
    }
    const BlockTerm& term = (*blocks_)[cells_[first].block].term;
    const double r = std::sqrt(squares);
    if (r > 0.0 && term.l2 > 0.0) {
      const double slope = term.rho_slope(r) / r, bend = term.rho_curvature(r);
      for (index_t a = first; a < last; ++a) {
        const double b = beta_[cells_[a].predictor * size_ + cells_[a].position];
        gradient_[a] -= slope * b;
        if (last - first == 1) {
          hessian_[a * n + a] += bend;
          continue;
        }
        hessian_[a * n + a] += slope;
        for (index_t c = first; c <= a; ++c)
          hessian_[a * n + c] +=
              (bend - slope) * (b / r) * (beta_[cells_[c].predictor * size_ + cells_[c].position] / r);
      }
    }
    first = last;
  }
}

// How far the step may go, at most `most`: to the first coefficient that meets a kink at 0 or its bound.
double BlockDescent::room(double most, index_t& blocking) const {
  double t = most;
  blocking = -1;
  for (size_t a = 0; a < cells_.size(); ++a) {
    const Block& block = (*blocks_)[cells_[a].block];
    const double b = beta_[cells_[a].predictor * size_ + cells_[a].position], d = step_[a];
    if (d == 0.0) continue;
    const bool kink = block.term.l1 > 0.0 || (block.cells() == 1 && !block.term.free());
    double limit = d > 0.0 ? block.term.upper : block.term.lower;
    if (kink && b * d < 0.0) limit = 0.0;
    if (std::isinf(limit)) continue;
    if ((limit - b) / d < t) {
      t = (limit - b) / d;
      blocking = static_cast<index_t>(a);
    }
  }
  return t;
}

void BlockDescent::spread_step() {
  change_.assign(size_ * predictors_, 0.0);
  for (size_t a = 0; a < cells_.size(); ++a)
    simd::axpy(step_[a], matrix_.column(cells_[a].position), change_.data() + cells_[a].predictor * size_, size_);
}

// Of the blocks that have free cells, at trial_.
double BlockDescent::penalty_of_active() {
  double total = 0.0;
  for (size_t a = 0; a < cells_.size(); ++a) {
    if (a > 0 && cells_[a].block == cells_[a - 1].block) continue;
    const Block& block = (*blocks_)[cells_[a].block];
    gather(block, trial_.data(), now_.data());
    total += block.term.value(now_.data(), block.cells());
  }
  return total;
}

bool BlockDescent::newton() {
  for (int turn = 0; turn < kNewton; ++turn) {
    collect();
    const index_t n = static_cast<index_t>(cells_.size());
    if (n == 0 || n > kDirect) return false;
    newton_system();
    double largest = 0.0;
    for (index_t a = 0; a < n; ++a) largest = std::max(largest, std::abs(hessian_[a * n + a]));
    for (index_t a = 0; a < n; ++a) hessian_[a * n + a] += kJitter * largest;
    char uplo = 'U';
    int size = static_cast<int>(n), info = 0;
    blas().dpotrf(&uplo, &size, hessian_.data(), &size, &info);
    if (info != 0) return false;
    step_ = gradient_;
    for (index_t a = 0; a < n; ++a)
      step_[a] = (step_[a] - simd::dot(hessian_.data() + a * n, step_.data(), a)) / hessian_[a * n + a];
    for (index_t a = n - 1; a >= 0; --a) {
      step_[a] /= hessian_[a * n + a];
      simd::axpy(-step_[a], hessian_.data() + a * n, step_.data(), a);
    }
    const double promised = simd::dot(gradient_.data(), step_.data(), n);
    if (!(promised > 0.0)) return promised == 0.0;
    spread_step();
    double square = 0.0, linear = 0.0;  // of the model along the step
    for (index_t a = 0; a < n; ++a) {
      const index_t at = cells_[a].predictor * size_ + cells_[a].position;
      square += step_[a] * change_[at];
      linear += step_[a] * slope_[at];
    }
    index_t blocking = -1;
    double t = room(1.0, blocking);
    trial_.assign(beta_, beta_ + size_ * predictors_);
    const double before = penalty_of_active();
    for (int halving = 0;; ++halving, t *= 0.5, blocking = -1) {
      if (halving == 30) return false;
      for (index_t a = 0; a < n; ++a) {
        const index_t at = cells_[a].predictor * size_ + cells_[a].position;
        trial_[at] = beta_[at] + t * step_[a];
      }
      if (blocking >= 0) {  // exactly there
        const Block& block = (*blocks_)[cells_[blocking].block];
        const index_t at = cells_[blocking].predictor * size_ + cells_[blocking].position;
        const double limit = step_[blocking] > 0.0 ? block.term.upper : block.term.lower;
        const bool kink = block.term.l1 > 0.0 || (block.cells() == 1 && !block.term.free());
        trial_[at] = kink && beta_[at] * step_[blocking] < 0.0 ? 0.0 : limit;
      }
      const double model = -t * linear + 0.5 * t * t * square, after = penalty_of_active();
      const double rounding = 1e-15 * (std::abs(before) + std::abs(t * linear));
      if (model + after - before <= -1e-4 * t * promised + rounding) break;
    }
    std::copy(trial_.begin(), trial_.end(), beta_);
    simd::axpy(-t, change_.data(), slope_, size_ * predictors_);
    if (!budget_->spend()) return false;
    if (blocking < 0 && promised <= kNothing * kNothing * precision_->enough) return true;
  }
  return false;
}

void BlockDescent::minimise(const ModelMatrix& matrix, index_t predictors, const std::vector<Block>& blocks,
                            const Precision& precision, Budget& budget, double* beta, double* slope) {
  matrix_ = matrix;
  blocks_ = &blocks;
  precision_ = &precision;
  budget_ = &budget;
  beta_ = beta;
  slope_ = slope;
  size_ = matrix.size;
  predictors_ = predictors;
  index_t most = 1;
  for (const Block& block : blocks) most = std::max(most, block.cells());
  now_.resize(most);
  next_.resize(most);
  pull_.resize(most);
  decompose();
  const auto same = [](const Cell& a, const Cell& b) { return a.position == b.position && a.predictor == b.predictor; };
  solved_.clear();
  int since = 0;
  while (true) {
    const bool gained = sweep();
    if (!budget.spend() || !gained) return;
    collect();
    const index_t free = static_cast<index_t>(cells_.size());
    if (++since < 1 + static_cast<int>(free / 50)) continue;
    since = 0;
    const bool done = newton();
    if (budget.stop || budget.used >= budget.limit) return;
    const bool repeated =
        done && solved_.size() == cells_.size() && std::equal(cells_.begin(), cells_.end(), solved_.begin(), same);
    if (repeated) return;
    if (done)
      solved_ = cells_;
    else
      solved_.clear();
  }
}

}  // namespace bridle
