#include "block_gram_path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "block_gap.hpp"

namespace bridle {
namespace {

constexpr double kWorstLoss = 1e-7;  // as in gram_path.cpp

}  // namespace

BlockGramPath::BlockGramPath(const BlockProblem& problem, const Settings& settings)
    : in_(problem),
      set_(settings),
      groups_(problem, 1),
      space_(*problem.summary, groups_.features(), problem.scale, problem.intercept),
      beta_(groups_.features().size(), 0.0),
      slope_(space_.slope) {
  budget_.limit = settings.max_iter;
  budget_.interrupted = settings.interrupted;
  budget_.context = settings.context;
  const size_t k = beta_.size();
  for (size_t i = 0; i < k; ++i) {
    curvature_.push_back(space_.matrix[i * k + i]);
    largest_ = std::max(largest_, space_.size[i]);
    if (in_.factor[groups_.features()[i]] > 0.0) null_slope_ = std::max(null_slope_, std::abs(slope_[i]));
  }
}

Status BlockGramPath::solve(double lam) {
  budget_.used = 0;
  concave_ = in_.shape != Shape::lasso && lam * in_.l1_ratio > 0.0;
  const double unit = concave_ ? null_slope_ : in_.reference, target = kSafety * set_.tol * unit;
  double coarseness = 1e-3 * set_.tol * (concave_ ? set_.tol : 1.0), last = std::numeric_limits<double>::infinity();
  blocks_.clear();
  for (index_t g = 0, at = 0; g < groups_.count(); at += groups_.size(g), ++g)
    if (groups_.size(g) > 0) blocks_.push_back({at, groups_.size(g), 0, 1, groups_.term(g, lam)});
  const index_t k = static_cast<index_t>(beta_.size());
  const ModelMatrix matrix{space_.matrix.data(), k, k, 1};
  for (int idle = 0;;) {
    // 1. Certificate, as far as the covariance matrix has kept its digits.
    gap_ = certificate(true);
    if (gap_ <= target) return loss_is_sure() ? Status::converged : Status::rounding;
    gap_ = certificate(false);
    if (gap_ <= target || idle >= kStall) return Status::rounding;
    if (budget_.used >= budget_.limit) return Status::max_iter;
    if (gap_ > 0.5 * last) coarseness = std::max(1e-3 * coarseness, 1e-25);
    idle = gap_ < 0.9 * last ? 0 : idle + 1;
    last = std::min(gap_, last);
    // 2. Minimum of the model, which is the loss.
    const Precision precision{coarseness * in_.reference, std::sqrt(coarseness), 1e-15 * std::sqrt(in_.reference)};
    descent_.minimise(matrix, 1, blocks_, precision, budget_, beta_.data(), slope_.data());
    if (budget_.stop) return Status::interrupted;
    look();
  }
}

void BlockGramPath::look() {
  const index_t k = static_cast<index_t>(beta_.size());
  slope_ = space_.slope;
  for (index_t i = 0; i < k; ++i)
    if (beta_[i] != 0.0) simd::axpy(-beta_[i], space_.matrix.data() + i * k, slope_.data(), k);
}

double BlockGramPath::certificate(bool on_rows) const {
  const double noise = on_rows ? in_.summary->rounding * length_of_terms() * largest_ : 0.0;
  return concave_ ? worst_violation(noise) : gap(noise);
}

double BlockGramPath::worst_violation(double noise) const {
  double worst = 0.0;
  for (const Block& block : blocks_)
    worst = std::max(worst, block.term.violation(beta_.data() + block.from, slope_.data() + block.from, block.size) +
                                noise * std::sqrt(static_cast<double>(block.size)));
  return worst;
}

// A slope may be anything within `noise` of what it is here.
double BlockGramPath::gap(double noise) const {
  double refit = 0.0, longest = 0.0;  // as BlockSolver::refit_reach
  for (const Block& block : blocks_)
    for (index_t i = block.from; i < block.from + block.size; ++i) {
      const double length = std::sqrt(curvature_[i]);
      longest = std::max(longest, length);
      if (length > 0.0 && BlockGap::unheld(block.term) &&
          std::isinf(slope_[i] > 0.0 ? block.term.upper : block.term.lower))
        refit += (std::abs(slope_[i]) + noise) / length;
    }
  BlockGap sum(in_.reference, refit * longest + noise);
  for (const Block& block : blocks_) sum.limit(block.term, slope_.data() + block.from, block.size);
  for (const Block& block : blocks_)
    sum.add(block.term, beta_.data() + block.from, slope_.data() + block.from, block.size,
            curvature_.data() + block.from);
  const double s = sum.scale();
  return sum.total(s < 1.0 ? (1.0 - s) * (1.0 - s) * loss() : 0.0);
}

double BlockGramPath::loss() const {
  double loss = space_.loss;
  for (size_t i = 0; i < beta_.size(); ++i) loss -= 0.5 * beta_[i] * (space_.slope[i] + slope_[i]);
  return std::max(0.0, loss);
}

bool BlockGramPath::loss_is_sure() const {
  const double length = length_of_terms();
  return in_.summary->rounding * length * length <= kWorstLoss * loss();
}

double BlockGramPath::length_of_terms() const {
  double length = std::hypot(in_.summary->y_rms, in_.intercept ? 0.0 : in_.summary->start);
  for (size_t i = 0; i < beta_.size(); ++i) length += std::abs(beta_[i]) * space_.size[i];
  return length;
}

double BlockGramPath::intercept() const {
  if (!in_.intercept) return 0.0;
  double b0 = in_.start[0];
  for (size_t i = 0; i < beta_.size(); ++i)
    if (beta_[i] != 0.0) b0 -= beta_[i] / in_.scale[groups_.features()[i]] * space_.shift[i];
  return b0;
}

void BlockGramPath::record(Status status, PathResult& out) const {
  std::vector<std::pair<index_t, double>> row;
  for (size_t i = 0; i < beta_.size(); ++i) {
    const index_t j = groups_.features()[i];
    if (beta_[i] != 0.0) row.emplace_back(j, beta_[i] / in_.scale[j]);
  }
  std::sort(row.begin(), row.end());
  for (const auto& entry : row) {
    out.columns.push_back(entry.first);
    out.values.push_back(entry.second);
  }
  out.starts.push_back(static_cast<index_t>(out.columns.size()));
  out.intercept.push_back(intercept());
  out.gap.push_back(gap_);
  out.kkt.push_back(worst_violation(0.0));
  out.loss.push_back(loss());
  out.status.push_back(static_cast<int>(status));
  out.n_iter.push_back(budget_.used);
}

}  // namespace bridle
