// A gaussian problem of some features as the moments of its rows give it, on the penalised scale.
#pragma once

#include <vector>

#include "moments.hpp"

namespace bridle {

struct GramSpace {
  // list (k,) of features; scale (p,); without an intercept columns and target keep their means.
  GramSpace(const Summary& sums, const std::vector<index_t>& list, const double* scale, bool intercept);

  std::vector<double> matrix;  // (k, k)
  std::vector<double> slope;   // (k,) at beta = 0
  std::vector<double> size;    // (k,) of columns, as rounding sees them
  std::vector<double> shift;   // (k,) what columns are centred at
  double loss;                 // at beta = 0
};

}  // namespace bridle
