// A coupled loss's step in the exact model of the coefficients that matter: those that aren't 0, or may not stay so.
#include <algorithm>
#include <cmath>

#include "block_gap.hpp"
#include "block_solver.hpp"

namespace bridle {
namespace {

constexpr double kPrice = 200.0;  // operations that a matrix may cost for each row, feature and predictor; a product takes 4
constexpr index_t kMost = 1500;      // cells
constexpr int kRounds = 4;         // without it at one lambda, beyond which a matrix may cost
constexpr int kPatience = 4;       // rounds without progress of a concave penalty, the same
constexpr double kThen = 10.0;       // times as much from then on

}  // namespace

// Blocks of the working set that aren't 0, or at lambda `reach` couldn't be.
void BlockSolver::choose_cells(double reach) {
  cells_ = Cells();
  const index_t m = working(), width = in_.joint ? predictors_ : 1;
  size_t at = 0;
  for (index_t g : here_) {
    const BlockTerm strict = term(g, reach);
    for (index_t first = 0; first < predictors_; first += width, ++at) {
      const Block& block = blocks_[at];
      gather(block, beta_, held_.data());
      gather(block, slope_, held_slope_.data());
      const index_t count = block.cells();
      const bool on = std::any_of(held_.begin(), held_.begin() + count, [](double b) { return b != 0.0; });
      if (!on && strict.excess(held_slope_.data(), count) <= 0.0) continue;
      const double size = std::sqrt(simd::dot(held_.data(), held_.data(), count));
      cells_.blocks.push_back({cells_.count(), count, 0, 1, tangent_ ? block.term.tangent(size) : block.term});
      for (index_t k = block.first; k < block.last; ++k)
        for (index_t i = block.from; i < block.from + block.size; ++i) {
          cells_.features.push_back(list_[i]);
          cells_.predictors.push_back(k);
          cells_.places.push_back(k * m + i);
        }
    }
  }
}

// Whether the exact model of these cells costs less than steps without it.
bool BlockSolver::wants_cells() {
  if (!meet_) return false;
  for (const Block& block : blocks_)
    if (BlockGap::unheld(block.term)) return false;
  choose_cells(std::max(0.0, std::min(lam_, 2.0 * lam_ - previous_)));
  const double c = static_cast<double>(cells_.count()), all = static_cast<double>(working() * predictors_);
  const bool many = concave_ && on_rows_;  // rounds, in any model: these had better be cheap, until they stall
  if (many && idle_ < kPatience) return false;
  slow_ = slow_ || (rounds_ > kRounds && !many);
  return cells_.count() <= kMost && c * c <= (slow_ || many ? kThen : 1.0) * kPrice * all;
}

bool BlockSolver::improve_exactly() {
  split();
  const index_t count = cells_.count();
  const bool rough = !concave_ && !full_ && gap_ > kRough * in_.reference;
  const index_t every = rough ? rows_apart(n_, count) : 1;
  exact_.make(x_, cells_, predictors_, {diagonal_.data(), root_.data()}, every);
  std::vector<double> beta(count), slope(count), move(count), constant(predictors_);
  for (index_t c = 0; c < count; ++c) {
    beta[c] = beta_[cells_.places[c]];
    slope[c] = slope_[cells_.places[c]];
  }
  const std::vector<double> before = beta_;
  const Precision precision{coarseness_ * in_.reference, std::sqrt(coarseness_), 1e-15 * std::sqrt(in_.reference)};
  exact_descent_.minimise(exact_.matrix(), 1, cells_.blocks, precision, budget_, beta.data(), slope.data());
  for (index_t c = 0; c < count; ++c) {
    move[c] = beta[c] - before[cells_.places[c]];
    beta_[cells_.places[c]] = beta[c];
  }
  exact_.intercepts(x_, cells_, move.data(), constant.data());
  const bool lowered = line_search(before, constant);
  tangent_ = concave_ && !lowered && !tangent_;
  full_ = full_ || !lowered;
  return lowered;
}

// Solutions are nearly straight in lambda between the points where the zeros change: go on as from the one before last to
// the last, if that lowers the objective.
void BlockSolver::extrapolate(double lam) {
  const index_t m = working();
  const bool known = past_lam_ > previous_ && previous_ > lam;
  const double share = known ? std::min(1.0, (previous_ - lam) / (past_lam_ - previous_)) : 0.0, flat = flat_;
  const std::vector<double> before = beta_;
  std::vector<double> constant(predictors_);
  past_.resize(p_ * predictors_, 0.0);
  past_b0_.resize(predictors_, 0.0);
  for (const Block& block : blocks_) {
    const bool norm = block.cells() > 1 && block.term.l1 == 0.0;  // whose single coefficients may go through 0
    double along = 0.0;
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t i = block.from; i < block.from + block.size; ++i) {
        const double b = before[k * m + i], to = b + share * (b - past_[k * p_ + list_[i]]);
        if (b == 0.0) continue;
        beta_[k * m + i] = to * b > 0.0 || norm ? std::max(block.term.lower, std::min(block.term.upper, to)) : 0.0;
        along += b * beta_[k * m + i];
      }
    for (index_t k = block.first; k < block.last && along <= 0.0; ++k)
      std::fill_n(beta_.begin() + k * m + block.from, block.size, 0.0);
  }
  for (index_t k = 0; k < predictors_; ++k) constant[k] = share * (b0_[k] - past_b0_[k]);
  std::fill(past_.begin(), past_.end(), 0.0);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < m; ++i) past_[k * p_ + list_[i]] = before[k * m + i];
  past_b0_ = b0_;
  past_lam_ = previous_ > lam ? previous_ : 0.0;
  const Caution caution = caution_;
  if (share > 0.0 && beta_ != before) line_search(before, constant);
  caution_ = caution;
  gained_ = 0.0;
  refresh_ = false;
  flat_ = flat;
}

}  // namespace bridle
