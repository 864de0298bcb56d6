#include <algorithm>
#include <cmath>

#include "losses_multi.hpp"

namespace bridle {
namespace {

constexpr index_t kBlock = 256;  // rows whose exponentials are kept on the stack
constexpr int kRounds = 200;     // of Newton's method for the thresholds
constexpr int kHalvings = 60;    // of a step

double logistic(double x) {
  const double z = std::exp(-std::abs(x));
  return x >= 0.0 ? 1.0 / (1.0 + z) : z / (1.0 + z);
}

// Fenchel-Young gap of softplus at q, dual variable s F(q): the divergence of (s F, 1 - s F) from (F, 1 - F)
double factor_gap(double q, double s) {
  const double mu = logistic(q), rest = logistic(-q);
  const double part = (s > 0.0 ? s * mu * std::log(s) : 0.0) + (rest + (1.0 - s) * mu) * std::log1p((1.0 - s) * mu / rest);
  return std::max(0.0, part);
}

// symmetric positive definite; beside[k] is entry (k, k - 1); diagonal is overwritten
void solve_tridiagonal(std::vector<double>& diagonal, const std::vector<double>& beside,
                       const std::vector<double>& right, std::vector<double>& x) {
  const size_t size = diagonal.size();
  x = right;
  for (size_t k = 1; k < size; ++k) {
    const double share = beside[k] / diagonal[k - 1];
    diagonal[k] -= share * beside[k];
    x[k] -= share * x[k - 1];
  }
  for (size_t k = size; k-- > 0;) {
    if (k + 1 < size) x[k] -= beside[k + 1] * x[k + 1];
    x[k] /= diagonal[k];
  }
}

// Proportional odds, logit P(y > k) = eta - t_k with t_1 < ... < t_{K-1}, thresholds at their best for the eta given:
// the minimum over them of
//   sum_i w_i [softplus(t_y - eta) (y > 0) + softplus(eta - t_{y+1}) (y < K - 1)] - sum_{0<k<K-1} W_k log(1 - e^{t_k - t_{k+1}}),
// since P(y = k) is the product of three such factors. It is convex in (eta, t), so its minimum over t is convex in eta.
// An intercept changes nothing. The curvature given is that at fixed thresholds, an upper bound of it.
class Ordinal final : public Loss {
 public:
  // levels (n,): 0..classes - 1 of each row, held here; y is ignored
  Ordinal(const double* levels, index_t n, index_t classes)
      : thresholds_(classes - 1), order_(n), starts_(classes + 1, 0) {
    for (index_t i = 0; i < n; ++i) ++starts_[static_cast<index_t>(levels[i]) + 1];
    for (index_t k = 0; k < classes; ++k) starts_[k + 1] += starts_[k];
    std::vector<index_t> next = starts_;
    for (index_t i = 0; i < n; ++i) order_[next[static_cast<index_t>(levels[i])]++] = i;
  }

  double value(const double*, const double* w, const double* eta, index_t) const override {
    return best(Rows(*this, w, eta)).value;
  }
  void derivatives(const double*, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    const Rows rows(*this, w, eta);
    std::fill_n(residual, n, 0.0);
    std::fill_n(curvature, n, 0.0);
    factors(rows, best(rows).t, [&](const Factor& f) {
      for (index_t i = 0; i < f.size; ++i) {
        const double weight = rows.w[f.from + i], scale = 1.0 / (1.0 + f.z[i]);
        residual[order_[f.from + i]] += (f.below ? weight : -weight) * (f.q[i] >= 0.0 ? scale : f.z[i] * scale);
        curvature[order_[f.from + i]] += weight * (f.z[i] * scale * scale);
      }
    });
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  // Each factor's dual variable is scaled by s: that leaves the conditions for the thresholds, which are homogeneous.
  double scaling_gap(const double*, const double* w, const double* eta, index_t, double s) const override {
    const Rows rows(*this, w, eta);
    const std::vector<double> t = best(rows).t;
    double total = 0.0;
    factors(rows, t, [&](const Factor& f) {
      for (index_t i = 0; i < f.size; ++i) total += rows.w[f.from + i] * factor_gap(f.q[i], s);
    });
    for (index_t k = 1; k < thresholds_; ++k) {
      const double m = 1.0 / std::expm1(t[k] - t[k - 1]);
      const double part = (1.0 + s * m) * std::log1p((1.0 - s) * m / (1.0 + s * m)) + (s > 0.0 ? s * m * std::log(s) : 0.0);
      total += rows.level[k] * std::max(0.0, part);
    }
    return total;
  }
  bool may_separate() const override { return true; }
  bool shift_invariant() const override { return true; }
  bool coupled() const override { return true; }
  std::unique_ptr<Curvature> second(const double* w, const double* eta, index_t) const override {
    return std::make_unique<Second>(*this, Rows(*this, w, eta));
  }

 private:
  // Weights and predictors in the order of the levels, and each level's weight
  struct Rows {
    Rows(const Ordinal& loss, const double* weights, const double* predictors) : level(loss.thresholds_ + 1, 0.0) {
      w.reserve(loss.order_.size());
      eta.reserve(loss.order_.size());
      for (index_t i : loss.order_) {
        w.push_back(weights[i]);
        eta.push_back(predictors[i]);
      }
      for (size_t k = 0; k < level.size(); ++k)
        level[k] = simd::sum(w.data() + loss.starts_[k], loss.starts_[k + 1] - loss.starts_[k]);
    }
    std::vector<double> w, eta, level;
  };
  // softplus(q) of some rows of one level, z = e^-|q|: q = t - eta with the threshold below the level, eta - t with that above
  struct Factor {
    index_t threshold, from, size;
    bool below;
    const double *q, *z;
  };
  // The loss at thresholds t, its slope and second derivatives in them: diagonal, and beside[k] in place (k, k - 1)
  struct Point {
    std::vector<double> t, slope, diagonal, beside;
    double value = INFINITY;
  };

  template <class Use>
  void factors(const Rows& rows, const std::vector<double>& t, Use&& use) const {
    double q[kBlock], z[kBlock];
    for (index_t k = 0; k <= thresholds_; ++k)
      for (index_t m = std::max<index_t>(k - 1, 0); m < std::min(k + 1, thresholds_); ++m)
        for (index_t from = starts_[k]; from < starts_[k + 1]; from += kBlock) {
          const index_t size = std::min(kBlock, starts_[k + 1] - from);
          const double sign = m < k ? -1.0 : 1.0;
          for (index_t i = 0; i < size; ++i) q[i] = sign * (rows.eta[from + i] - t[m]);
          for (index_t i = 0; i < size; ++i) z[i] = -std::abs(q[i]);
          simd::exp(z, z, size);
          use(Factor{m, from, size, m < k, q, z});
        }
  }
  Point at(const Rows& rows, const std::vector<double>& t) const {
    Point out;
    out.t = t;
    out.slope.assign(thresholds_, 0.0);
    out.diagonal.assign(thresholds_, 0.0);
    out.beside.assign(thresholds_, 0.0);
    out.value = 0.0;
    double logs[kBlock];
    factors(rows, t, [&](const Factor& f) {
      simd::log1p_unit(f.z, logs, f.size);
      double value = 0.0, slope = 0.0, bend = 0.0;
      for (index_t i = 0; i < f.size; ++i) {
        const double weight = rows.w[f.from + i], scale = 1.0 / (1.0 + f.z[i]);
        value += weight * (std::max(f.q[i], 0.0) + logs[i]);
        slope += weight * (f.q[i] >= 0.0 ? scale : f.z[i] * scale);
        bend += weight * (f.z[i] * scale * scale);
      }
      out.value += value;
      out.slope[f.threshold] += f.below ? slope : -slope;
      out.diagonal[f.threshold] += bend;
    });
    for (index_t k = 1; k < thresholds_; ++k) {  // -W log(1 - e^-d), d = t_k - t_{k-1}
      const double m = 1.0 / std::expm1(t[k] - t[k - 1]), bend = rows.level[k] * m * (1.0 + m);
      out.value -= rows.level[k] * std::log(-std::expm1(t[k - 1] - t[k]));
      out.slope[k] -= rows.level[k] * m;
      out.slope[k - 1] += rows.level[k] * m;
      out.diagonal[k] += bend;
      out.diagonal[k - 1] += bend;
      out.beside[k] = -bend;
    }
    double steep = 0.0;  // where all is flat but for rounding, a step needs a bound
    for (double each : out.slope) steep += std::abs(each);
    for (double& each : out.diagonal) each += 1e-10 * steep;
    return out;
  }
  // The best thresholds, by Newton's method; steps are cut so that they keep their order and the loss falls.
  Point best(const Rows& rows) const {
    std::vector<double> t(thresholds_), trial(thresholds_), step, diagonal;
    double total = 0.0, below = 0.0;
    for (double each : rows.level) total += each;
    const double centre = simd::dot(rows.w.data(), rows.eta.data(), static_cast<index_t>(rows.w.size())) / total;
    for (index_t k = 0; k < thresholds_; ++k) {
      below += rows.level[k];
      t[k] = centre + std::log(below / (total - below));
    }
    Point here = at(rows, t);
    double last = INFINITY;
    for (int round = 0; round < kRounds; ++round) {
      diagonal = here.diagonal;
      solve_tridiagonal(diagonal, here.beside, here.slope, step);
      double decrement = 0.0;
      for (index_t k = 0; k < thresholds_; ++k) decrement += here.slope[k] * step[k];
      // the last step is one that rounding alone would undo
      if (!(decrement > 1e-30 * total) || (decrement < 1e-20 * total && decrement >= 0.25 * last)) break;
      last = decrement;
      double share = 1.0;
      Point there;
      for (int halving = 0; halving < kHalvings; ++halving, share *= 0.5) {
        bool ordered = true;
        for (index_t k = 0; k < thresholds_; ++k) {
          trial[k] = here.t[k] - share * step[k];
          ordered = ordered && (k == 0 || trial[k] > trial[k - 1]);
        }
        there = ordered ? at(rows, trial) : Point();
        if (there.value <= here.value - 1e-4 * share * decrement + 1e-14 * std::abs(here.value)) break;
      }
      if (!std::isfinite(there.value)) break;
      here = std::move(there);
    }
    return here;
  }

  // H = D - B T^-1 B': D at fixed thresholds, less what their move takes away (the Schur complement of T)
  class Second final : public Curvature {
   public:
    Second(const Ordinal& loss, const Rows& rows)
        : loss_(loss), here_(loss.best(rows)), below_(rows.w.size(), 0.0), above_(rows.w.size(), 0.0) {
      loss.factors(rows, here_.t, [&](const Factor& f) {
        for (index_t i = 0; i < f.size; ++i) {
          const double scale = 1.0 / (1.0 + f.z[i]);
          (f.below ? below_ : above_)[f.from + i] = rows.w[f.from + i] * (f.z[i] * scale * scale);
        }
      });
    }
    void times(const double* x, double* out) const override {
      const index_t count = loss_.thresholds_;
      std::vector<double> right(count, 0.0), moved, diagonal = here_.diagonal;
      each([&](index_t r, index_t low, index_t high) {
        right[low] += below_[r] * x[loss_.order_[r]];
        right[high] += above_[r] * x[loss_.order_[r]];
      });
      solve_tridiagonal(diagonal, here_.beside, right, moved);
      each([&](index_t r, index_t low, index_t high) {
        const index_t i = loss_.order_[r];
        out[i] = below_[r] * (x[i] - moved[low]) + above_[r] * (x[i] - moved[high]);
      });
    }

   private:
    // use(r, thresholds below and above) for each row; those that aren't there have no curvature
    template <class Use>
    void each(Use&& use) const {
      for (index_t k = 0; k <= loss_.thresholds_; ++k)
        for (index_t r = loss_.starts_[k]; r < loss_.starts_[k + 1]; ++r)
          use(r, std::max<index_t>(k - 1, 0), std::min(k, loss_.thresholds_ - 1));
    }
    const Ordinal& loss_;
    const Point here_;
    std::vector<double> below_, above_;  // in the order of the levels
  };

  const index_t thresholds_;           // K - 1
  std::vector<index_t> order_, starts_;  // (n,) rows level by level, (K + 1,) where each begins
};

}  // namespace

std::unique_ptr<Loss> make_ordinal(const double* levels, index_t n, index_t classes) {
  return std::make_unique<Ordinal>(levels, n, classes);
}

}  // namespace bridle
