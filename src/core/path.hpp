// One problem and its regularisation path: what goes in, what comes out.
#pragma once

#include <vector>

#include "design.hpp"
#include "losses.hpp"
#include "status.hpp"

namespace bridle {

struct Summary;

// minimise sum_i w_i loss(y_i, o_i + b0 + x_i'b) + lam sum_j v_j [a |s_j b_j| + (1 - a)/2 (s_j b_j)^2],
// lower_j <= b_j <= upper_j. n rows, p columns; all pointers outlive the call.
struct Problem {
  const Design* design = nullptr;     // may be null where summary is given
  const Summary* summary = nullptr;   // gaussian: moments of the rows, so that they need not be read
  const Loss* loss = nullptr;
  const double* y = nullptr;       // (n,)
  const double* w = nullptr;       // (n,) sums to 1
  const double* offset = nullptr;  // (n,)
  const double* centre = nullptr;  // (p,) subtracted from columns; all 0 without an intercept
  const double* scale = nullptr;   // (p,) s_j > 0
  const double* mean = nullptr;    // (p,) of raw columns, weighted
  const double* deviation = nullptr;  // (p,) about it; these two bound slopes of columns that aren't read
  const double* products = nullptr;  // (p,) X'r, r the null model's residual -w loss'; null: not at hand
  const double* factor = nullptr;  // (p,) v_j; infinite: excluded
  const double* lower = nullptr;   // (p,) of b on the original scale
  const double* upper = nullptr;   // (p,)
  double l1_ratio = 1.0;           // a
  bool intercept = true;
  double start = 0.0;      // intercept of the null model
  double reference = 1.0;  // its loss less the saturated loss: what a relative gap is relative to
};

enum class Mode : int { automatic = 0, gram = 1, columns = 2 };

struct Settings {
  double tol = 1e-6;
  index_t max_iter = 100000;  // sweeps over the coefficients and Newton steps, for each lambda
  Mode mode = Mode::automatic;
  bool (*interrupted)(void*) = nullptr;  // asked at intervals; true ends the path
  void* context = nullptr;
};

struct PathResult {
  std::vector<double> intercept;  // (L,)
  std::vector<index_t> starts;    // (L + 1,) of each lambda's coefficients in `columns` and `values`
  std::vector<index_t> columns;   // (nnz,) ascending within a lambda
  std::vector<double> values;     // (nnz,) on the original scale
  std::vector<double> gap, kkt, loss;  // (L,) absolute duality gap; worst KKT violation; sum_i w_i loss
  std::vector<int> status;             // (L,)
  std::vector<index_t> n_iter;         // (L,)
};

}  // namespace bridle
