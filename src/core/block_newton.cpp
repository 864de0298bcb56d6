// Newton steps of the block descent: on all coefficients that aren't at a kink or bound, with the others held.
#include <algorithm>
#include <cmath>
#include <limits>

#include "blas.hpp"
#include "block_descent.hpp"
#include "conjugate.hpp"

namespace bridle {
namespace {

constexpr index_t kDirect = 4000;  // cells up to which Newton's system is factored
constexpr int kNewton = 30;        // steps with one set of cells
constexpr int kHalvings = 30;      // of a step
constexpr index_t kStale = 200;    // cells from which on an old factor is tried
constexpr int kProducts = 10;      // that may take
constexpr int kMostProducts = 100;  // of the matrix of features, for several predictors
constexpr double kSolved = 1e-7;   // of the squared residual
constexpr int kEntryProducts = 500;  // of sparse columns
constexpr double kEntrySolved = 1e-4;  // of the squared residual, that these leave
constexpr double kSlow = 0.1;      // of the last step's gain: one that wins more is far off still, and descent is due
constexpr double kJitter = 1e-12;  // of the largest diagonal: dependent columns get a direction that a kink ends

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool all_zero(const double* x, index_t count) {
  return std::all_of(x, x + count, [](double value) { return value == 0.0; });
}

}  // namespace

// Whether the penalty has a kink at 0 for this coefficient alone.
bool BlockDescent::kink(const Cell& cell) const {
  const Block& block = (*blocks_)[cell.block];
  return block.term.l1 > 0.0 || (block.cells() == 1 && !block.term.free());
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

// Minus the gradient of model and penalty in the free cells, and the penalty's curvature there.
void BlockDescent::newton_gradient() {
  const index_t n = static_cast<index_t>(cells_.size());
  gradient_.resize(n);
  if (matrix_.columns) {
    own_.rows = matrix_.columns->rows();
    own_.predictors = predictors_;
    own_.columns.clear();
    own_.owner.clear();
    for (const Cell& cell : cells_) {
      own_.columns.push_back(*matrix_.columns->columns(cell.position));
      own_.owner.push_back(cell.predictor);
    }
    own_.dots(0, n, matrix_.columns->residual(), gradient_.data());
    for (index_t a = 0; a < n; ++a) slope_[place(cells_[a])] = gradient_[a];
  }
  directions_.assign(n, 1.0);
  curves_.clear();
  for (index_t first = 0; first < n;) {  // cells of a block follow one another
    index_t last = first;
    double squares = 0.0;
    for (; last < n && cells_[last].block == cells_[first].block; ++last) {
      const double b = beta_[place(cells_[last])];
      squares += b * b;
    }
    const BlockTerm& term = (*blocks_)[cells_[first].block].term;
    const double r = std::sqrt(squares);
    const bool norm = r > 0.0 && term.l2 > 0.0;
    const double slope = norm ? term.rho_slope(r) / r : 0.0, bend = norm ? term.rho_curvature(r) : 0.0;
    for (index_t a = first; a < last; ++a) {
      const double b = beta_[place(cells_[a])];
      gradient_[a] = slope_[place(cells_[a])] - (term.ridge + slope) * b - (b > 0.0 ? term.l1 : (b < 0.0 ? -term.l1 : 0.0));
      if (norm) directions_[a] = b / r;
      if (!norm) curves_.push_back({a, a + 1, term.ridge, term.ridge});
    }
    if (norm) curves_.push_back({first, last, term.ridge + slope, term.ridge + bend});
    first = last;
  }
}

// The Hessian in the free cells, upper triangle by columns.
void BlockDescent::newton_matrix() {
  const index_t n = static_cast<index_t>(cells_.size());
  hessian_.assign(n * n, 0.0);
  if (matrix_.columns) {
    char uplo = 'U', trans = 'T';
    int size = static_cast<int>(n), rows = static_cast<int>(matrix_.columns->rows());
    double one = 1.0, zero = 0.0;
    std::vector<double> A;
    for (const double* column : own_.columns) A.insert(A.end(), column, column + rows);
    blas().dsyrk(&uplo, &trans, &size, &rows, &one, A.data(), &rows, &zero, hessian_.data(), &size);
    for (index_t a = 0; a < n && predictors_ > 1; ++a)
      for (index_t c = 0; c < a; ++c)
        if (cells_[c].predictor != cells_[a].predictor) hessian_[a * n + c] = 0.0;
  }
  for (index_t a = 0; a < n && !matrix_.columns; ++a) {
    const double* column = matrix_.column(cells_[a].position);
    for (index_t c = 0; c <= a; ++c)
      if (cells_[c].predictor == cells_[a].predictor) hessian_[a * n + c] = column[cells_[c].position];
  }
  for (const Curve& curve : curves_)
    for (index_t a = curve.first; a < curve.last; ++a) {
      hessian_[a * n + a] += curve.diagonal();
      for (index_t c = curve.first; c <= a && curve.count() > 1; ++c)
        hessian_[a * n + c] += (curve.along - curve.across) * directions_[a] * directions_[c];
    }
}

// How far the step may go, at most `most`: to the first coefficient that meets a kink at 0 or its bound.
double BlockDescent::room(double most, index_t& blocking) const {
  double t = most;
  blocking = -1;
  for (size_t a = 0; a < cells_.size(); ++a) {
    const Block& block = (*blocks_)[cells_[a].block];
    const double b = beta_[place(cells_[a])], d = step_[a];
    if (d == 0.0) continue;
    double limit = d > 0.0 ? block.term.upper : block.term.lower;
    if (kink(cells_[a]) && b * d < 0.0) limit = 0.0;
    if (std::isinf(limit)) continue;
    if ((limit - b) / d < t) {
      t = (limit - b) / d;
      blocking = static_cast<index_t>(a);
    }
  }
  return t;
}

// to += what the share of the step in cells [first, last) takes from the slopes, or from the residual
void BlockDescent::spread_step(index_t first, index_t last, const double* share, std::vector<double>& to) const {
  if (matrix_.columns) {
    own_.add(first, last, share, to.data());
    return;
  }
  for (index_t a = first; a < last; ++a, ++share)
    simd::axpy(*share, matrix_.column(cells_[a].position), to.data() + cells_[a].predictor * size_, size_);
}

// At which share of the step a norm is carried through 0, where it has its kink; infinite if it isn't.
double BlockDescent::crossing(const Curve& curve) const {
  const BlockTerm& term = (*blocks_)[cells_[curve.first].block].term;
  if (curve.count() == 1 || term.l1 > 0.0 || term.concave()) return kInfinity;
  double along = 0.0, squares = 0.0;
  for (index_t a = curve.first; a < curve.last; ++a) {
    const double b = beta_[place(cells_[a])];
    along += b * step_[a];
    squares += b * b;
  }
  return along < 0.0 ? squares / -along : kInfinity;
}

// Norms that the step carries through 0 go to 0: all of them at the end of the step, or the first, where it gets there. False if
// neither lowers the model.
bool BlockDescent::end_at_zero(double promised) {
  double nearest = kInfinity;
  for (const Curve& curve : curves_) nearest = std::min(nearest, crossing(curve));
  if (!(nearest <= 1.0)) return false;
  const std::vector<double> step = step_, change = change_;
  for (const double t : {1.0, nearest}) {
    index_t blocking = -1;
    if (room(t, blocking) < t) continue;
    std::vector<double> shorter = step;
    for (double& each : shorter) each *= t;
    for (size_t i = 0; i < change.size(); ++i) change_[i] = t * change[i];
    for (const Curve& curve : curves_) {
      if (crossing(curve) > t) continue;
      std::vector<double> rest;
      for (index_t a = curve.first; a < curve.last; ++a) {
        rest.push_back(-beta_[place(cells_[a])] - shorter[a]);
        shorter[a] = -beta_[place(cells_[a])];
      }
      spread_step(curve.first, curve.last, rest.data(), change_);
    }
    step_.swap(shorter);
    if (lowers(1.0, -1, t * promised)) return true;
    step_ = step;
  }
  change_ = change;
  return false;
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

void BlockDescent::add_curvature(const std::vector<double>& along, std::vector<double>& out) const {
  for (const Curve& curve : curves_) {
    const index_t count = curve.count();
    simd::axpy(curve.diagonal(), along.data() + curve.first, out.data() + curve.first, count);
    if (count == 1) continue;
    const double* d = directions_.data() + curve.first;
    const double bend = (curve.along - curve.across) * simd::dot(d, along.data() + curve.first, count);
    simd::axpy(bend, d, out.data() + curve.first, count);
  }
}

// step_ = (Hessian)^-1 gradient_ by conjugate gradients on sparse columns: a product takes twice their entries. change_ is
// its image.
bool BlockDescent::solve_by_entries() {
  const size_t n = cells_.size();
  std::vector<index_t> positions;
  for (const Cell& cell : cells_) positions.push_back(cell.position);
  std::vector<double> diagonal, left = gradient_, rows;
  for (const Curve& curve : curves_) {
    if (curve.along < 0.0 || curve.across < 0.0) return false;
    for (index_t a = curve.first; a < curve.last; ++a) {
      const double d = directions_[a] * directions_[a];
      diagonal.push_back(curvature(positions[a]) + (1.0 - d) * curve.across + d * curve.along);
    }
  }
  if (!std::all_of(diagonal.begin(), diagonal.end(), [](double each) { return each > 0.0; })) return false;
  const bool solved = conjugate_gradients(
      step_, left, kEntryProducts,
      [&](const std::vector<double>& from, std::vector<double>& z) {
        for (size_t a = 0; a < n; ++a) z[a] = from[a] / diagonal[a];
      },
      [&](const std::vector<double>& v, std::vector<double>& out) {
        matrix_.columns->times(positions, v.data(), rows);
        matrix_.columns->dots(positions, rows, out.data());
        add_curvature(v, out);
      },
      [&](const std::vector<double>&, double now, double first) { return !(now > kEntrySolved * first); });
  if (solved) matrix_.columns->times(positions, step_.data(), change_);
  return solved;
}

// step_ = (Hessian)^-1 gradient_; false where the model isn't convex.
bool BlockDescent::solve_system() {
  const index_t n = static_cast<index_t>(cells_.size());
  by_rows_ = matrix_.columns && matrix_.columns->sparse() && solve_by_entries();
  if (by_rows_) return true;
  by_rows_ = matrix_.columns && rows_.suits(own_, curves_) &&
             rows_.solve(own_, curves_, directions_, gradient_, step_, change_);
  if (by_rows_) return true;
  if (predictors_ > 1 && !matrix_.columns && n >= kStale && solve_by_predictors()) return true;
  if (n > kDirect) return false;
  newton_matrix();
  double largest = 0.0;
  for (index_t a = 0; a < n; ++a) largest = std::max(largest, std::abs(hessian_[a * n + a]));
  for (index_t a = 0; a < n; ++a) hessian_[a * n + a] += kJitter * largest;
  const auto same = [](const Cell& a, const Cell& b) { return a.position == b.position && a.predictor == b.predictor; };
  const bool known = n >= kStale && factored_.size() == cells_.size() &&
                     std::equal(cells_.begin(), cells_.end(), factored_.begin(), same);
  if (known && solve_by_old_factor()) return true;
  factored_.clear();
  factor_ = hessian_;
  char uplo = 'U';
  int size = static_cast<int>(n), info = 0;
  blas().dpotrf(&uplo, &size, factor_.data(), &size, &info);
  if (info != 0) return false;
  factored_ = cells_;
  step_ = gradient_;
  solve_upper(factor_.data(), n, step_.data());
  return true;
}

// Several predictors with one matrix of features: the loss doesn't couple them, and norms only cell by cell. Conjugate
// gradients with products of that matrix, preconditioned predictor by predictor. False if they are slow, or the model isn't convex.
bool BlockDescent::solve_by_predictors() {
  const index_t n = static_cast<index_t>(cells_.size()), m = size_;
  std::vector<double> diagonal(n);
  for (const Curve& curve : curves_)
    std::fill_n(diagonal.begin() + curve.first, curve.count(), curve.diagonal());
  // 1. A factor for each predictor, or one for all that have the same cells and curvature.
  std::vector<std::vector<index_t>> members(predictors_);
  for (index_t a = 0; a < n; ++a) members[cells_[a].predictor].push_back(a);
  std::vector<std::vector<double>> factors(predictors_);
  std::vector<index_t> which(predictors_);
  const auto alike = [&](index_t a, index_t b) {
    return cells_[a].position == cells_[b].position && diagonal[a] == diagonal[b];
  };
  for (index_t k = 0; k < predictors_; ++k) {
    which[k] = k;
    const std::vector<index_t>& own = members[k];
    if (k > 0 && std::equal(own.begin(), own.end(), members[k - 1].begin(), members[k - 1].end(), alike)) {
      which[k] = which[k - 1];
      continue;
    }
    const index_t count = static_cast<index_t>(own.size());
    std::vector<double>& factor = factors[k];
    factor.resize(count * count);
    for (index_t a = 0; a < count; ++a) {
      const double* column = matrix_.column(cells_[own[a]].position);
      for (index_t c = 0; c <= a; ++c) factor[a * count + c] = column[cells_[own[c]].position];
      factor[a * count + a] += diagonal[own[a]] + kJitter * column[cells_[own[a]].position];
    }
    char uplo = 'U';
    int size = static_cast<int>(count), info = 0;
    if (count > 0) blas().dpotrf(&uplo, &size, factor.data(), &size, &info);
    if (info != 0) return false;
  }
  std::vector<double> part(m), dense(m * predictors_), image(m * predictors_);
  const auto precondition = [&](const std::vector<double>& from, std::vector<double>& z) {
    for (index_t k = 0; k < predictors_; ++k) {
      const index_t count = static_cast<index_t>(members[k].size());
      for (index_t i = 0; i < count; ++i) part[i] = from[members[k][i]];
      solve_upper(factors[which[k]].data(), count, part.data());
      for (index_t i = 0; i < count; ++i) z[members[k][i]] = part[i];
    }
  };
  // 2. The features' matrix times all predictors at once, and the penalty's curvature.
  const auto product = [&](const std::vector<double>& along, std::vector<double>& out) {
    std::fill(dense.begin(), dense.end(), 0.0);
    for (index_t a = 0; a < n; ++a) dense[place(cells_[a])] = along[a];
    char plain = 'N';
    int rows = static_cast<int>(m), columns = static_cast<int>(predictors_), ld = static_cast<int>(matrix_.ld);
    double one = 1.0, zero = 0.0;
    blas().dgemm(&plain, &plain, &rows, &columns, &rows, &one, const_cast<double*>(matrix_.data), &ld, dense.data(), &rows,
                 &zero, image.data(), &rows);
    for (index_t a = 0; a < n; ++a) out[a] = image[place(cells_[a])];
    add_curvature(along, out);
  };
  std::vector<double> r = gradient_;
  return conjugate_gradients(step_, r, kMostProducts, precondition, product,
                             [](const auto&, double size, double first) { return size <= kSolved * first; });
}

// The same cells at another point or lambda: conjugate gradients with the factor that is there. False if they are slow.
bool BlockDescent::solve_by_old_factor() {
  const index_t n = static_cast<index_t>(cells_.size());
  std::vector<double> r = gradient_;
  const auto precondition = [&](const std::vector<double>& from, std::vector<double>& z) {
    z = from;
    solve_upper(factor_.data(), n, z.data());
  };
  const auto product = [&](const std::vector<double>& along, std::vector<double>& image) {
    std::fill(image.begin(), image.end(), 0.0);
    for (index_t a = 0; a < n; ++a) {
      const double* column = hessian_.data() + a * n;
      image[a] += simd::dot(column, along.data(), a + 1);
      simd::axpy(along[a], column, image.data(), a);
    }
  };
  return conjugate_gradients(step_, r, kProducts, precondition, product,
                             [](const auto&, double size, double first) { return size <= kSolved * first; });
}

// Where a cell lands after the share t of the step: exactly at the kink or bound that it's blocked by.
double BlockDescent::landing(index_t a, double t, bool blocked) const {
  const BlockTerm& term = (*blocks_)[cells_[a].block].term;
  const double b = beta_[place(cells_[a])];
  if (!blocked) return b + t * step_[a];
  return kink(cells_[a]) && b * step_[a] < 0.0 ? 0.0 : (step_[a] > 0.0 ? term.upper : term.lower);
}

// Take the share t of step_ if the model with its penalty falls by enough of what the step promised; blocking: the cell that a kink ends.
bool BlockDescent::lowers(double t, index_t blocking, double promised) {
  const index_t n = static_cast<index_t>(cells_.size());
  double square = 0.0, linear = 0.0, before = 0.0, after = 0.0;  // of the model along the step; penalties
  if (matrix_.columns) square = simd::dot(change_.data(), change_.data(), own_.rows * predictors_);
  for (index_t a = 0; a < n; ++a) {
    if (!matrix_.columns) square += step_[a] * change_[place(cells_[a])];
    linear += step_[a] * slope_[place(cells_[a])];
  }
  trial_.assign(beta_, beta_ + size_ * predictors_);
  before = penalty_of_active();
  for (index_t a = 0; a < n; ++a) trial_[place(cells_[a])] = landing(a, t, a == blocking);
  after = penalty_of_active();
  const double model = -t * linear + 0.5 * t * t * square, rounding = 1e-15 * (std::abs(before) + std::abs(t * linear));
  if (!(model + after - before <= -1e-4 * t * promised + rounding)) return false;
  std::copy(trial_.begin(), trial_.end(), beta_);
  if (matrix_.columns)
    simd::axpy(-t, change_.data(), matrix_.columns->residual(), own_.rows * predictors_);
  else
    simd::axpy(-t, change_.data(), slope_, size_ * predictors_);
  return true;
}

// Go along step_ as far as the model with its penalty falls; false if it doesn't. blocked: whether a kink ended it.
bool BlockDescent::take_step(double promised, bool& blocked) {
  if (!by_rows_) {
    change_.assign((matrix_.columns ? own_.rows : size_) * predictors_, 0.0);
    spread_step(0, static_cast<index_t>(cells_.size()), step_.data(), change_);
  }
  blocked = end_at_zero(promised);
  if (blocked) return true;
  index_t blocking = -1;
  double t = room(1.0, blocking);
  for (int halving = 0; halving < kHalvings; ++halving, t *= 0.5, blocking = -1)
    if (lowers(t, blocking, promised)) {
      blocked = blocking >= 0;
      return true;
    }
  return false;
}

bool BlockDescent::newton() {
  double last = kInfinity;
  bool blocked = false;
  for (int turn = 0; turn < kNewton; turn += !blocked) {  // a kink or bound takes a cell away, or all of a norm's
    collect();
    const index_t n = static_cast<index_t>(cells_.size());
    if (n == 0) return false;
    newton_gradient();
    if (!solve_system()) return false;
    const double promised = simd::dot(gradient_.data(), step_.data(), n);
    if (!(promised > 0.0)) return promised == 0.0;
    if (!take_step(promised, blocked) || !budget_->spend()) return false;
    if (!blocked && promised <= precision_->enough) return true;
    if (!blocked && promised > kSlow * last) return false;
    last = blocked ? kInfinity : promised;
  }
  return false;
}

}  // namespace bridle
