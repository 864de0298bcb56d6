// A problem whose penalty holds groups of coefficients together or is concave, with K >= 1 linear predictors.
#pragma once

#include "block_penalty.hpp"
#include "path.hpp"

namespace bridle {

struct Summary;

// minimise sum_i w_i loss(y_i, o_i + b0 + B'x_i) + penalty; n rows, p columns, K predictors, G groups. With t = l1_share,
// m_g = size of group g, and v_g its factor, the penalty is that of each block of a group (block_penalty.hpp) with
// l1 = lam a t v_g, l2 = lam a (1 - t) v_g sqrt(m_g), ridge = lam (1 - a) v_g on the coefficients s_j B_jk. The blocks of
// a group are its coefficients over all predictors (joint), or those of each predictor. All pointers outlive the call.
struct BlockProblem {
  const Design* design = nullptr;
  const Summary* summary = nullptr;  // gaussian, K = 1: moments of the rows, so that they need not be read
  const Loss* loss = nullptr;
  const double* y = nullptr;
  const double* w = nullptr;       // (n,) sums to 1
  const double* offset = nullptr;  // (n, K) by columns
  const double* centre = nullptr;  // (p,) all 0 without an intercept
  const double* scale = nullptr;   // (p,)
  Shape shape = Shape::lasso;
  double gamma = 3.0;
  index_t groups = 0;              // G
  const index_t* starts = nullptr;    // (G + 1,) of each group's members in `features`
  const index_t* features = nullptr;  // each feature once
  const double* factor = nullptr;  // (p,) v_j, alike within a group; infinite: excluded, though it counts in m_g
  const double* lower = nullptr;   // (p,) of b on the original scale; infinite where a block has several coefficients
  const double* upper = nullptr;
  bool joint = false;
  double l1_ratio = 1.0;           // a
  double l1_share = 0.0;           // t
  bool intercept = true;
  const double* start = nullptr;   // (K,) intercept of the null model
  double reference = 1.0;          // its loss less the saturated loss
};

// Solve at each of `count` lambdas, descending, each from the solution before. In the result, intercepts are (L, K) and
// columns count coefficients, j K + k. For the lasso's shape `gap` is the duality gap; for concave ones there is none,
// and `gap` is `kkt`, to be at most tol of the largest slope of the null model, which is `slope`.
Status solve_blocks(const BlockProblem& problem, const double* lambdas, index_t count, const Settings& settings,
                    PathResult& result, double& slope);

}  // namespace bridle
