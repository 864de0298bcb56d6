// The duality gap as a sum of Fenchel-Young terms (docs/solver.md): nothing cancels where primal and dual agree.
#pragma once

#include <cmath>
#include <limits>

#include "penalty.hpp"

namespace bridle {

// Dual candidates are s times the residual: s = 1, and the largest s that is feasible for features whose penalty has
// no ridge part and no bound. First `limit` every feature, then `add` every feature, then ask for `total`.
//
// The dual point has to be orthogonal to unpenalised columns. The refit that makes it so moves every other slope by up
// to `reach`, which both calls allow for.
class GapSum {
 public:
  GapSum(double reference, double reach) : reference_(reference), reach_(reach) {}
  // Whether nothing, neither a penalty nor a bound, makes the conjugate finite at this slope.
  static bool unheld(const Term& term, double slope) {
    return term.l1 == 0.0 && term.ridge == 0.0 && std::isinf(slope > 0.0 ? term.upper : -term.lower);
  }
  // noise: what this slope may be off by
  void limit(const Term& term, double slope, double noise = 0.0) {
    const double size = std::abs(slope) + reach_ + noise;
    if (term.l1 > 0.0 && size > term.l1 && std::isinf(slope > 0.0 ? term.upper : -term.lower))
      scale_ = std::min(scale_, term.l1 / size);
  }
  // curvature: H_jj, or 0 if it isn't known
  void add(const Term& term, double b, double slope, double curvature, double noise = 0.0) {
    if (unheld(term, slope)) {
      add_unpenalised(b, std::abs(slope) + noise, curvature);
      return;
    }
    const double reach = reach_ + noise;
    const double value = term.value(b), most = slope + std::copysign(reach, slope), moved = reach * std::abs(b);
    whole_ += value + term.conjugate(most) - slope * b + moved;
    scaled_ += value + term.conjugate(scale_ < 1.0 ? kInside * scale_ * most : most) - scale_ * (slope * b - moved);
  }
  double scale() const { return scale_; }
  // loss_cost: what scaling by scale() costs in the loss
  double total(double loss_cost) const {
    const double best = std::min(whole_, scale_ < 1.0 ? scaled_ + loss_cost : whole_);
    return best >= 0.0 ? best : (best < 0.0 ? 0.0 : std::numeric_limits<double>::infinity());  // not a number: no proof
  }

 private:
  static constexpr double kInside = 1.0 - 1e-15;  // keeps a scaled slope from exceeding its limit by rounding

  // What the refit may change in the loss, to first order and in units of the null loss.
  void add_unpenalised(double b, double slope, double curvature) {
    if (slope == 0.0) return;
    const double cost = curvature > 0.0 ? std::abs(slope) * (std::abs(b) + std::sqrt(reference_ / curvature))
                                        : std::numeric_limits<double>::infinity();
    whole_ += cost;
    scaled_ += cost;
  }
  double reference_, reach_, scale_ = 1.0, whole_ = 0.0, scaled_ = 0.0;
};

}  // namespace bridle
