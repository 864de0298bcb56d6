// The groups of a problem with blocks, without the features that are excluded, and their penalties.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "block_problem.hpp"

namespace bridle {

class BlockGroups {
 public:
  // predictors: over how many of them norms run (1 unless joint)
  BlockGroups(const BlockProblem& problem, index_t predictors) : in_(problem), over_(problem.joint ? predictors : 1) {
    for (index_t g = 0; g < problem.groups; ++g) {
      for (index_t i = problem.starts[g]; i < problem.starts[g + 1]; ++i)
        if (std::isfinite(problem.factor[problem.features[i]])) features_.push_back(problem.features[i]);
      starts_.push_back(static_cast<index_t>(features_.size()));
      root_.push_back(std::sqrt(static_cast<double>(problem.starts[g + 1] - problem.starts[g])));
      largest_ = std::max(largest_, size(g));
    }
  }
  index_t count() const { return in_.groups; }
  index_t size(index_t group) const { return starts_[group + 1] - starts_[group]; }
  index_t largest() const { return largest_; }
  const std::vector<index_t>& features() const { return features_; }             // group after group
  const index_t* begin(index_t group) const { return features_.data() + starts_[group]; }
  const index_t* end(index_t group) const { return features_.data() + starts_[group + 1]; }
  double weight(index_t group) const { return in_.factor[*begin(group)] * root_[group]; }  // of a group with features
  bool penalised(index_t group) const { return in_.factor[*begin(group)] > 0.0; }

  BlockTerm term(index_t group, double lam) const {
    BlockTerm out;
    if (size(group) == 0) return out;
    const index_t j = *begin(group);
    const double strength = lam * in_.factor[j];
    out.l1 = strength * in_.l1_ratio * in_.l1_share;
    out.l2 = strength * in_.l1_ratio * (1.0 - in_.l1_share) * root_[group];
    out.ridge = strength * (1.0 - in_.l1_ratio);
    out.shape = in_.shape;
    out.gamma = in_.gamma;
    if (size(group) * over_ == 1) {
      out.lower = in_.lower[j] * in_.scale[j];
      out.upper = in_.upper[j] * in_.scale[j];
    }
    return out;
  }

 private:
  const BlockProblem& in_;
  index_t over_, largest_ = 1;
  std::vector<index_t> starts_{0}, features_;
  std::vector<double> root_;  // (G,) sqrt(m_g)
};

}  // namespace bridle
