// Columns as the solver sees them: x~_j = (x_j - centre_j) / scale_j, centred and scaled by algebra alone.
#pragma once

#include <vector>

#include "design.hpp"

namespace bridle {

struct Columns {
  const Design& design;
  const double* centre;  // (p,)
  const double* scale;   // (p,)
  bool centred;          // with an intercept, columns are also centred under the weights of a quadratic model

  index_t rows() const { return design.rows(); }

  // out[k] = x~_{list[k]}' v; v (n,), out (count,); list null: the first `count` columns
  void dots(const index_t* list, index_t count, const double* v, double* out) const {
    design.dots(list, count, v, out);
    centre_dots(list, count, v, out);
  }
  // From products of raw columns, x' v, to x~' v.
  void centre_dots(const index_t* list, index_t count, const double* v, double* out) const {
    const double total = centred ? simd::sum(v, rows()) : 0.0;
    for (index_t k = 0; k < count; ++k) {
      const index_t j = list ? list[k] : k;
      out[k] = (out[k] - centre[j] * total) / scale[j];
    }
  }
};

}  // namespace bridle
