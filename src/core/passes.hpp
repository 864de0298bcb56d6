// Products of one matrix with vectors of several solvers: a block of rows is read once for all of them.
#pragma once

#include <vector>

#include "design.hpp"

namespace bridle {

// out[k] = x_{columns[k]}' v; v (n,), out as long as columns
struct PassDots {
  const std::vector<index_t>* columns;
  const double* v;
  double* out;
};

// v += sum_k coef[k] x_{columns[k]}; v (n,), coef as long as columns
struct PassSum {
  const std::vector<index_t>* columns;
  const double* coef;
  double* v;
};

// Each on its own where there are few or the matrix is sparse. The answer is the same for any number of threads;
// false if memory ran out.
bool pass_dots(const Design& design, const std::vector<PassDots>& all, int threads);
bool pass_add(const Design& design, const std::vector<PassSum>& all, int threads);

}  // namespace bridle
