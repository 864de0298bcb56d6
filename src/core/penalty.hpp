// One feature's share of the penalty, lam v [a |b| + (1 - a)/2 b^2] on lower <= b <= upper, on the penalised scale.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace bridle {

struct Term {
  double l1 = 0.0;     // lam v a
  double ridge = 0.0;  // lam v (1 - a)
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();

  double value(double b) const { return b == 0.0 ? 0.0 : l1 * std::abs(b) + 0.5 * ridge * b * b; }

  // Size of its slope at b.
  double slope(double b) const { return l1 + ridge * std::abs(b); }

  // argmin over the box of 1/2 curvature (b - b0)^2 - slope (b - b0) + value(b)
  double minimiser(double b0, double slope, double curvature) const {
    const double z = curvature * b0 + slope;
    const double soft = z > l1 ? z - l1 : (z < -l1 ? z + l1 : 0.0);
    return soft == 0.0 ? 0.0 : std::min(upper, std::max(lower, soft / (curvature + ridge)));
  }

  // sup over the box of z b - value(b); infinite where |z| > l1 and nothing holds b on that side
  double conjugate(double z) const {
    const double slack = std::abs(z) - l1, reach = z >= 0.0 ? upper : -lower;
    if (!(slack > 0.0) || reach == 0.0) return 0.0;
    const double b = std::min(ridge > 0.0 ? slack / ridge : std::numeric_limits<double>::infinity(), reach);
    return std::isinf(b) ? b : b * (slack - 0.5 * ridge * b);
  }

  // How far -slope is from the subdifferential at b: 0 at the optimum; slope is that of minus the loss.
  double violation(double b, double slope) const {
    if (b == 0.0) {
      if (slope > l1) return upper > 0.0 ? slope - l1 : 0.0;
      if (slope < -l1) return lower < 0.0 ? -slope - l1 : 0.0;
      return 0.0;
    }
    const double rest = slope - ridge * b - (b > 0.0 ? l1 : -l1);
    if (b >= upper && rest > 0.0) return 0.0;
    if (b <= lower && rest < 0.0) return 0.0;
    return std::abs(rest);
  }
};

}  // namespace bridle
