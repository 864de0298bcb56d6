// The duality gap over blocks as a sum of Fenchel-Young terms: gap.hpp, with groups in the place of features.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "block_penalty.hpp"

namespace bridle {

// First `limit` every block, then `add` every block, then ask for `total`; b, z (count,) are its coefficients and slopes.
// `reach` is what the refit of unpenalised coefficients may move any other slope by.
class BlockGap {
 public:
  BlockGap(double reference, double reach) : reference_(reference), reach_(reach) {}
  static bool unheld(const BlockTerm& term) { return term.free() && term.ridge == 0.0; }

  void limit(const BlockTerm& term, const double* z, index_t count) {
    const bool finite = term.ridge > 0.0 || (count == 1 && std::isfinite(z[0] > 0.0 ? term.upper : -term.lower));
    if (!finite) scale_ = std::min(scale_, term.feasible_scale(z, count, reach_));
  }
  // curvature: of each coefficient in the model, (count,); null where it isn't known, for blocks at 0
  void add(const BlockTerm& term, const double* b, const double* z, index_t count, const double* curvature) {
    if (unheld(term)) {
      for (index_t i = 0; i < count; ++i) add_unpenalised(term, b[i], z[i], curvature ? curvature[i] : 0.0);
      return;
    }
    const double value = term.value(b, count);
    double product = 0.0, moved = 0.0;
    for (index_t i = 0; i < count; ++i) {
      product += z[i] * b[i];
      moved += reach_ * std::abs(b[i]);
    }
    whole_ += value + term.conjugate(z, count, reach_) - product + moved;
    if (scale_ == 1.0) {
      scaled_ = whole_;
      return;
    }
    buffer_.assign(z, z + count);
    for (double& each : buffer_) each *= kInside * scale_;
    scaled_ += value + term.conjugate(buffer_.data(), count, kInside * scale_ * reach_) - scale_ * (product - moved);
  }
  double scale() const { return scale_; }
  // loss_cost: what scaling by scale() costs in the loss
  double total(double loss_cost) const {
    const double best = std::min(whole_, scale_ < 1.0 ? scaled_ + loss_cost : whole_);
    return best >= 0.0 ? best : (best < 0.0 ? 0.0 : std::numeric_limits<double>::infinity());
  }

 private:
  static constexpr double kInside = 1.0 - 1e-14;

  void add_unpenalised(const BlockTerm& term, double b, double z, double curvature) {
    if (z == 0.0) return;
    const double bound = z > 0.0 ? term.upper : term.lower;
    const double cost = std::isfinite(bound) ? std::max(0.0, z * (bound - b))
                        : curvature > 0.0    ? std::abs(z) * (std::abs(b) + std::sqrt(reference_ / curvature))
                                             : std::numeric_limits<double>::infinity();
    whole_ += cost;
    scaled_ += cost;
  }
  double reference_, reach_, scale_ = 1.0, whole_ = 0.0, scaled_ = 0.0;
  std::vector<double> buffer_;
};

}  // namespace bridle
