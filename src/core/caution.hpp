// How much of a raised curvature (Loss::raise) a loss with flat pieces gets, learnt from what steps have won.
#pragma once

#include <algorithm>

namespace bridle {

class Caution {
 public:
  double share() const { return share_; }
  void most() { share_ = 1.0; }
  // A good quadratic model wins half of what its slope promises. One that wins more lies too high and makes steps short;
  // one that wins less, or less than a whole step, lies too low. t: share of the step that was taken; predicted: change
  // along the slope, < 0; rounding: of the objective, below which a win says nothing. Whether the model is to be made anew.
  bool learn(double t, double predicted, double gained, double rounding) {
    if (t == 1.0 && -predicted <= rounding) return false;
    const double won = predicted < 0.0 ? gained / -predicted : 0.5;
    if (t < 1.0 || won < 0.3)
      share_ = std::min(1.0, 4.0 * share_);
    else if (won > kHigh)
      share_ = std::max(kLeast, 0.1 * share_);
    return t < 1.0 || won < 0.4 || won > 0.6;
  }

 private:
  static constexpr double kLeast = 1e-6, kHigh = 0.51;
  double share_ = 0.1;
};

}  // namespace bridle
