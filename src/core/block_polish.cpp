// Many coefficients of predictors that meet in the curvature: a majoriser for what is 0, Newton's method for the rest.
#include <algorithm>
#include <cmath>

#include "block_gap.hpp"
#include "block_implicit.hpp"
#include "block_solver.hpp"

namespace bridle {
namespace {

constexpr double kLarge = 2e8;     // operations for a matrix of all coefficients, below which it's always made
constexpr double kProducts = 60.0; // operations a cell and row that a step on the rows takes
constexpr double kPatience = 2.0; // such steps that one matrix may cost
constexpr double kForcing = 1e-3;  // share of the squared residual that is left to the next step
constexpr double kRounding = 1e-16;  // of the loss: a step that promises less is noise

}  // namespace

// Whether the matrix of all coefficients costs more than steps that do without. Unpenalised features need its curvature for
// the certificate.
bool BlockSolver::wants_rows() const {
  if (!model_.coupled()) return false;
  for (const Block& block : blocks_)
    if (BlockGap::unheld(block.term)) return false;
  const double m = static_cast<double>(working()), k = static_cast<double>(predictors_), n = static_cast<double>(n_);
  const double made = static_cast<double>(model_.pairs()) * n * m * m * 2.0 + std::pow(m * k, 3.0) / 3.0;
  return made > kLarge && made > kPatience * kProducts * n * m * k;
}

// One weight a row for all predictors, at least the largest eigenvalue of its curvature (Gershgorin).
void BlockSolver::majorise() {
  split();
  std::vector<double> sum(n_, 0.0);  // of the roots
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < n_; ++i) sum[i] += root_[k * n_ + i];
  std::fill(weights_.begin(), weights_.end(), 0.0);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < n_; ++i) {
      const double d = diagonal_[k * n_ + i], r = root_[k * n_ + i];
      weights_[i] = std::max(weights_[i], std::max(0.0, d - r * r) + r * std::max(0.0, sum[i] - r));
    }
}

void BlockSolver::split() {
  diagonal_.resize(n_ * predictors_);
  root_.resize(n_ * predictors_);
  in_.loss->split(in_.w, eta_.data(), n_, diagonal_.data(), root_.data());
}

// The cells that aren't 0, with gradient and curvature of the penalty there; places of their features in the working set.
void BlockSolver::collect_free(FreeCells& cells, std::vector<index_t>& places) const {
  const index_t m = working();
  std::vector<index_t> at(m, -1);
  for (index_t i = 0; i < m; ++i)
    for (index_t k = 0; k < predictors_; ++k)
      if (beta_[k * m + i] != 0.0 && at[i] < 0) {
        at[i] = static_cast<index_t>(places.size());
        places.push_back(i);
        cells.features.push_back(list_[i]);
      }
  const index_t f = static_cast<index_t>(places.size());
  cells.free.assign(f * predictors_, 0);
  cells.gradient.assign(f * predictors_, 0.0);
  cells.ridge.assign(f * predictors_, 0.0);
  for (const Block& block : blocks_) {
    FreeCells::Norm norm;
    double squares = 0.0;
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t i = block.from; i < block.from + block.size; ++i) squares += beta_[k * m + i] * beta_[k * m + i];
    if (squares == 0.0) continue;
    const BlockTerm& term = block.term;
    const double size = std::sqrt(squares);
    norm.slope = term.rho_slope(size) / size;
    norm.bend = term.rho_curvature(size);
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t i = block.from; i < block.from + block.size; ++i) {
        const double b = beta_[k * m + i];
        if (at[i] < 0 || (b == 0.0 && (term.l1 > 0.0 || block.cells() == 1)) || b <= term.lower || b >= term.upper) continue;
        const index_t c = k * f + at[i];
        cells.free[c] = 1;
        cells.ridge[c] = term.ridge + (block.cells() == 1 ? norm.bend : 0.0);
        cells.gradient[c] = slope_[k * m + i] - (term.ridge + norm.slope) * b - std::copysign(b != 0.0 ? term.l1 : 0.0, b);
        norm.cells.push_back(c);
        norm.direction.push_back(b / size);
      }
    if (block.cells() > 1 && norm.slope > 0.0) cells.norms.push_back(std::move(norm));
  }
}

// Newton's step on the cells that aren't 0; those that it would carry through 0 or a bound stop there.
bool BlockSolver::polish() {
  FreeCells cells;
  std::vector<index_t> places;
  collect_free(cells, places);
  if (places.empty()) return false;
  split();
  ImplicitNewton newton(x_, cells, predictors_, diagonal_.data(), root_.data(), flat_);
  newton.prepare(model_.matrix(), places, model_total_);
  std::vector<double> step, constant;
  newton.solve(kForcing, concave_ ? 0.0 : kRounding * in_.reference, step, constant);  // slopes are certified, not their squares
  if (!budget_.spend() && budget_.stop) return false;
  const std::vector<double> before = beta_;
  const index_t m = working(), f = static_cast<index_t>(places.size());
  std::vector<index_t> at(m, -1);
  for (index_t i = 0; i < f; ++i) at[places[i]] = i;
  for (const Block& block : blocks_)
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t place = block.from; place < block.from + block.size; ++place) {
        const index_t i = at[place];
        if (i < 0 || !cells.free[k * f + i]) continue;
        const bool kink = block.term.l1 > 0.0 || block.cells() == 1;
        const double b = before[k * m + place];
        double to = std::max(block.term.lower, std::min(block.term.upper, b + step[k * f + i]));
        if (kink && to * b < 0.0) to = 0.0;
        beta_[k * m + place] = to;
      }
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < f; ++i)
      constant[k] -= (beta_[k * m + places[i]] - before[k * m + places[i]]) / in_.scale[list_[places[i]]] *
                     in_.centre[list_[places[i]]];
  return line_search(before, constant);
}

}  // namespace bridle
