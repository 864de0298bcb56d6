#include "block_descent.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr int kQuiet = 20;         // sweeps that mend slopes and gain nothing
constexpr index_t kMany = 5000;        // sweeps and Newton steps in one model
constexpr index_t kManyConcave = 300;  // the same where the model may have no minimum nearby
constexpr index_t kCells = 50;     // whose Newton step costs as much as a sweep more
constexpr int kProximal = 10;      // steps within a block with an L1 part
constexpr double kNext = 1e-10;    // share of a threshold that a block may hold: less is as good as 0, and has no direction
constexpr double kDependent = 1e-13;  // share of a block's largest curvature that is rounding

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
  if (version_ != matrix_.version) known_.clear();
  version_ = matrix_.version;
  std::vector<double> work;
  for (const Block& block : *blocks_) {
    const index_t at = key(block), m = block.size;
    if (static_cast<index_t>(known_.size()) <= at) known_.resize(at + 1);
    Shape& to = known_[at];
    if (to.size == m) continue;
    to.size = m;
    to.matrix.resize(m * m);
    for (index_t k = 0; k < m; ++k) {
      if (matrix_.columns)
        column_dots(matrix_.columns->columns(block.from), m, *matrix_.columns->columns(block.from + k), matrix_.columns->rows(),
                    to.matrix.data() + k * m);
      else
        std::copy_n(matrix_.column(block.from + k) + block.from, m, to.matrix.data() + k * m);
    }
    to.vectors.assign(1, 1.0);
    to.values = to.matrix;
    if (m == 1) continue;
    to.vectors = to.matrix;
    to.values.resize(m);
    char job = 'V', uplo = 'U';
    int n = static_cast<int>(m), lwork = 34 * n, info = 0;
    work.resize(lwork);
    blas().dsyev(&job, &uplo, &n, to.vectors.data(), &n, to.values.data(), work.data(), &lwork, &info);
    for (double& value : to.values)  // ascending; a direction without curvature has none from rounding
      if (value < kDependent * to.values[m - 1]) value = 0.0;
  }
}

// slopes of a block's cells, (cells,)
void BlockDescent::slopes(const Block& block, double* to) const {
  if (!matrix_.columns) return gather(block, slope_, to);
  for (index_t k = block.first; k < block.last; ++k, to += block.size)
    column_dots(matrix_.columns->columns(block.from), block.size, matrix_.columns->residual(k), matrix_.columns->rows(), to);
}

void BlockDescent::move(const Block& block, double* delta) {
  if (matrix_.columns) {
    for (index_t i = 0; i < block.cells(); ++i) delta[i] = -delta[i];
    for (index_t k = block.first; k < block.last; ++k, delta += block.size)
      column_add(matrix_.columns->columns(block.from), block.size, delta, matrix_.columns->residual(k), matrix_.columns->rows());
    return;
  }
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
  const double *Q = shape(block).vectors.data(), *values = shape(block).values.data();
  rotated_.resize(2 * cells);
  bends_.resize(cells);
  double* before = rotated_.data();
  double* z = before + cells;
  for (index_t k = 0; k < cells / m; ++k)
    for (index_t i = 0; i < m; ++i) {
      const double h = values[i], b = simd::dot(Q + i * m, now_.data() + k * m, m);
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
  for (double value : shape(block).values) step = std::max(step, value);
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
        if (moved != 0.0) simd::axpy(-moved, shape(block).matrix.data() + i * m, z + k * m, m);
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

// A block that is so small that its curvature can't move a slope by what counts is 0: of a direction there is nothing but
// rounding, and for the penalty's slope a direction is all.
void BlockDescent::forget(const Block& block) {
  const index_t cells = block.cells();
  double bend = 0.0;
  for (double value : shape(block).values) bend = std::max(bend, value);
  const double least = std::min(kNext, kNothing * precision_->share) * block.term.l2;
  if ((bend + block.term.ridge) * norm(next_.data(), cells) < least) std::fill_n(next_.begin(), cells, 0.0);
}

// Blocks that a Newton step has left next to 0.
void BlockDescent::tidy() {
  for (const Block& block : *blocks_) {
    const index_t cells = block.cells();
    if (cells == 1 || !(block.term.l2 > 0.0)) continue;
    gather(block, beta_, next_.data());
    if (all_zero(next_.data(), cells)) continue;
    std::copy_n(next_.begin(), cells, now_.begin());
    forget(block);
    if (!all_zero(next_.data(), cells)) continue;
    for (index_t i = 0; i < cells; ++i) now_[i] = -now_[i];
    move(block, now_.data());
    for (index_t k = block.first; k < block.last; ++k) std::fill_n(beta_ + k * size_ + block.from, block.size, 0.0);
  }
}

// One block to its minimiser; whether that gained what counts.
bool BlockDescent::update(const Block& block) {
  const index_t cells = block.cells();
  const BlockTerm& term = block.term;
  const double hold = term.l1 + term.l2;
  off_ = gain_ = 0.0;
  if (cells == 1) {
    const index_t at = block.first * size_ + block.from;
    const double h = shape(block).values[0], b = beta_[at];
    if (!(h + term.ridge > 0.0)) return false;
    double slope = 0.0;
    slopes(block, &slope);
    if (b == 0.0 && std::abs(slope) <= (1.0 + 1e-12) * hold + precision_->noise * std::sqrt(h)) return false;
    now_[0] = b;
    next_[0] = term.minimiser(h * b + slope, h);
    off_ = (h + term.ridge) * std::abs(next_[0] - b);
    gain_ = off_ * std::abs(next_[0] - b);
  } else {
    gather(block, beta_, now_.data());
    slopes(block, pull_.data());
    const bool off = all_zero(now_.data(), cells);
    if (off && term.excess(pull_.data(), cells) <= 1e-12 * hold + precision_->noise) return false;
    if (term.l1 > 0.0)
      update_sparse(block);
    else
      update_norm(block);
    forget(block);
  }
  // Where nothing holds a block, its slope counts for the gap as such: the gain is its square, and small.
  const double enough = hold > 0.0 ? precision_->enough : least_;
  const double share = hold > 0.0 ? precision_->share * hold : std::numeric_limits<double>::infinity();
  const bool leaves = all_zero(next_.data(), cells) && !all_zero(now_.data(), cells);  // next to nothing isn't nothing
  if (!leaves && (gain_ == 0.0 || (off_ <= kNothing * share && gain_ <= kNothing * enough))) return false;
  for (index_t i = 0; i < cells; ++i) now_[i] = next_[i] - now_[i];
  move(block, now_.data());
  const double* value = next_.data();
  for (index_t k = block.first; k < block.last; ++k, value += block.size)
    std::copy_n(value, block.size, beta_ + k * size_ + block.from);
  loud_ = loud_ || gain_ > enough;
  return gain_ > enough || off_ > share;
}

bool BlockDescent::sweep() {
  bool gained = false;
  loud_ = false;
  for (const Block& block : *blocks_) gained = update(block) || gained;
  quiet_ = loud_ ? 0 : quiet_ + 1;
  return gained && quiet_ < kQuiet;
}

void BlockDescent::minimise(const ModelMatrix& matrix, index_t predictors, const std::vector<Block>& blocks,
                            const Precision& precision, Budget& budget, double* beta, double* slope, index_t sweeps) {
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
  least_ = std::max(precision.enough * precision.share * precision.share, 1e2 * precision.noise * precision.noise);
  quiet_ = 0;
  by_rows_ = false;
  if (sweeps == 0) descend();
  for (; sweeps > 0 && sweep() && budget.spend(); --sweeps) {
  }
  tidy();
}

// Sweeps, and Newton steps in between, until neither wins what counts. Without a matrix a look at the data costs no more than
// a sweep, so that one good Newton step ends it, and the gap decides.
void BlockDescent::descend() {
  const auto same = [](const Cell& a, const Cell& b) { return a.position == b.position && a.predictor == b.predictor; };
  solved_.clear();
  bool concave = false;
  for (const Block& block : *blocks_) concave = concave || block.term.concave();
  const index_t last = budget_->used + (concave ? kManyConcave : kMany);
  index_t since = 0;
  if (!matrix_.columns) newton();  // after a step along the path what isn't 0 is nearly known
  while (true) {
    const bool gained = sweep();
    if (!budget_->spend() || (!gained && !matrix_.columns) || budget_->used >= last) return;
    collect();
    if (!matrix_.columns && ++since < 1 + static_cast<index_t>(cells_.size()) / kCells) continue;
    since = 0;
    const bool done = newton();
    if (budget_->stop || budget_->used >= budget_->limit) return;
    const bool repeated =
        done && solved_.size() == cells_.size() && std::equal(cells_.begin(), cells_.end(), solved_.begin(), same);
    if (repeated || (matrix_.columns && (done || !gained))) return;
    if (done)
      solved_ = cells_;
    else
      solved_.clear();
  }
}

}  // namespace bridle
