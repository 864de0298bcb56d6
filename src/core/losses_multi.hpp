// Families with several linear predictors, or several thresholds of one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "losses.hpp"

namespace bridle {

// "multinomial" and "multigaussian", parameters {K}; null if it is none of these.
std::unique_ptr<Loss> make_multi(const std::string& family, const std::vector<double>& parameters);
// Proportional odds; levels (n,) from 0 to classes - 1. The loss holds them.
std::unique_ptr<Loss> make_ordinal(const double* levels, index_t n, index_t classes);

}  // namespace bridle
