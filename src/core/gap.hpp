// The duality gap as a sum of Fenchel-Young terms (docs/solver.md): nothing cancels where primal and dual agree.
#pragma once

#include <cmath>
#include <limits>

#include "penalty.hpp"

namespace bridle {

// Dual candidates are s times the residual: s = 1, and the largest s that is feasible for features whose penalty has
// no ridge part and no bound. First `limit` every feature, then `add` every feature, then ask for `total`.
class GapSum {
 public:
  explicit GapSum(double reference) : reference_(reference) {}
  void limit(const Term& term, double slope) {
    const double size = std::abs(slope);
    if (term.l1 > 0.0 && size > term.l1 && std::isinf(slope > 0.0 ? term.upper : -term.lower))
      scale_ = std::min(scale_, term.l1 / size);
  }
  // curvature: H_jj, or 0 if it isn't known
  void add(const Term& term, double b, double slope, double curvature) {
    if (term.l1 == 0.0 && term.ridge == 0.0 && std::isinf(slope > 0.0 ? term.upper : -term.lower)) {
      add_unpenalised(b, slope, curvature);
      return;
    }
    const double value = term.value(b), scaled = kInside * scale_ * slope;
    whole_ += value + term.conjugate(slope) - slope * b;
    scaled_ += value + term.conjugate(scale_ < 1.0 ? scaled : slope) - scale_ * slope * b;
  }
  double scale() const { return scale_; }
  // loss_cost: what scaling by scale() costs in the loss
  double total(double loss_cost) const {
    const double best = std::min(whole_, scale_ < 1.0 ? scaled_ + loss_cost : whole_);
    return std::max(0.0, best);
  }

 private:
  static constexpr double kInside = 1.0 - 1e-15;  // keeps a scaled slope from exceeding its limit by rounding

  // No penalty: the dual point must be orthogonal to the column. The refit that makes it so moves all other slopes by
  // up to slope / sqrt(curvature) times their columns' length: a first-order cost, in units of the null loss.
  void add_unpenalised(double b, double slope, double curvature) {
    if (slope == 0.0) return;
    const double cost = curvature > 0.0 ? std::abs(slope) * (std::abs(b) + std::sqrt(reference_ / curvature))
                                        : std::numeric_limits<double>::infinity();
    whole_ += cost;
    scaled_ += cost;
  }
  double reference_, scale_ = 1.0, whole_ = 0.0, scaled_ = 0.0;
};

}  // namespace bridle
