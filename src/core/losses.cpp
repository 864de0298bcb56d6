#include "losses.hpp"

#include <algorithm>

#include "losses_multi.hpp"

namespace bridle {
namespace {

constexpr index_t kBlock = 512;  // rows of which one that is far off makes all be computed
constexpr double kNear = 0.25;   // up to which the bound is as good as the value

}  // namespace

double scaling_cost(const Loss& loss, const double* y, const double* w, const double* eta, const double* residual,
                    const double* curvature, index_t n, double s) {
  if (!loss.self_concordant()) return loss.scaling_gap(y, w, eta, n, s);
  double total = 0.0;
  for (index_t from = 0; from < n; from += kBlock) {
    const index_t size = std::min(kBlock, n - from);
    double largest = 0.0;
    const double bound = simd::divergence_bound(residual + from, curvature + from, 1.0 - s, size, largest);
    total += largest <= kNear ? bound : loss.scaling_gap(y + from, w + from, eta + from, size, s);
  }
  return total;
}

std::unique_ptr<Loss> make_loss(const std::string& family, const std::vector<double>& parameters) {
  for (auto make : {make_piecewise_loss, make_logistic_loss, make_log_link_loss, make_multi})
    if (auto loss = make(family, parameters)) return loss;
  return nullptr;
}

}  // namespace bridle
