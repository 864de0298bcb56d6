// A gaussian path with blocks in the space of the covariance matrix: rows are never read. gram_path.hpp is the same for
// single features.
#pragma once

#include <vector>

#include "block_descent.hpp"
#include "block_groups.hpp"
#include "gram_space.hpp"

namespace bridle {

class BlockGramPath {
 public:
  BlockGramPath(const BlockProblem& problem, const Settings& settings);  // problem.summary is given
  // From the solution before, the problem at lam. `rounding`: as GramPath::solve.
  Status solve(double lam);
  void record(Status status, PathResult& result) const;

  double null_slope() const { return null_slope_; }
  const std::vector<double>& beta() const { return beta_; }  // (k,) group after group
  double intercept() const;

 private:
  void look();  // slopes from the coefficients
  double certificate(bool on_rows) const;  // of the covariance matrix, or widened by what its rounding may hide
  double gap(double noise) const;
  double worst_violation(double noise) const;
  double loss() const;
  bool loss_is_sure() const;
  double length_of_terms() const;

  const BlockProblem& in_;
  const Settings& set_;
  BlockGroups groups_;
  GramSpace space_;
  BlockDescent descent_;
  Budget budget_;
  bool concave_ = false;
  std::vector<Block> blocks_;
  std::vector<double> beta_, slope_, curvature_;  // (k,)
  double largest_ = 0.0;  // of the columns' sizes
  double gap_ = 0.0, null_slope_ = 0.0;
};

}  // namespace bridle
