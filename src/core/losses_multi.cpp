#include "losses_multi.hpp"

#include <algorithm>
#include <cmath>

namespace bridle {
namespace {

constexpr index_t kBlock = 256;  // rows whose exponentials are kept at a time

// sum_k 1/2 (y_k - eta_k)^2
class MultiGaussian final : public Loss {
 public:
  explicit MultiGaussian(index_t responses) : responses_(responses) {}
  index_t responses() const override { return responses_; }
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double total = 0.0;
    for (index_t k = 0; k < responses_; ++k)
      for (index_t i = 0; i < n; ++i) {
        const double rest = y[k * n + i] - eta[k * n + i];
        total += w[i] * rest * rest;
      }
    return 0.5 * total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    for (index_t k = 0; k < responses_; ++k)
      for (index_t i = 0; i < n; ++i) residual[k * n + i] = w[i] * (y[k * n + i] - eta[k * n + i]);
    std::copy_n(w, n, curvature);
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    return (1.0 - s) * (1.0 - s) * value(y, w, eta, n);
  }
  bool quadratic() const override { return true; }

 private:
  const index_t responses_;
};

// Probabilities of a block of rows, and which class is likeliest; rest is what the others have together, so that
// 1 - mu keeps its digits where mu is next to 1.
struct Softmax {
  explicit Softmax(index_t classes) : mu(classes * kBlock), top(kBlock), sum(kBlock), rest(kBlock), best(kBlock) {}

  // eta (n, K) by columns, rows from..from + size; log_sum: log sum_k e^eta_k
  void read(const double* eta, index_t n, index_t classes, index_t from, index_t size) {
    std::copy_n(eta + from, size, top.data());
    std::fill_n(best.begin(), size, 0);
    for (index_t k = 1; k < classes; ++k)
      for (index_t i = 0; i < size; ++i)
        if (eta[k * n + from + i] > top[i]) {
          top[i] = eta[k * n + from + i];
          best[i] = k;
        }
    std::fill_n(rest.begin(), size, 0.0);
    for (index_t k = 0; k < classes; ++k) {
      double* to = mu.data() + k * kBlock;
      for (index_t i = 0; i < size; ++i) to[i] = eta[k * n + from + i] - top[i];
      simd::exp(to, to, size);
      for (index_t i = 0; i < size; ++i) rest[i] += best[i] == k ? 0.0 : to[i];
    }
    for (index_t i = 0; i < size; ++i) sum[i] = 1.0 + rest[i];
  }
  void normalise(index_t classes, index_t size) {
    for (index_t i = 0; i < size; ++i) sum[i] = 1.0 / sum[i];
    for (index_t k = 0; k < classes; ++k)
      for (index_t i = 0; i < size; ++i) mu[k * kBlock + i] *= sum[i];
    for (index_t i = 0; i < size; ++i) rest[i] *= sum[i];
  }
  std::vector<double> mu, top, sum, rest;
  std::vector<index_t> best;
};

// log sum_k e^eta_k - sum_k y_k eta_k, shares y that sum to 1
class Multinomial final : public Loss {
 public:
  explicit Multinomial(index_t classes) : classes_(classes) {}
  index_t responses() const override { return classes_; }
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    Softmax block(classes_);
    double total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      double* loss = block.sum.data();
      for (index_t i = 0; i < size; ++i) loss[i] = std::log1p(block.rest[i]);
      for (index_t k = 0; k < classes_; ++k)  // against the largest, so that nothing cancels where the fit is sure
        for (index_t i = 0; i < size; ++i) loss[i] -= y[k * n + from + i] * (eta[k * n + from + i] - block.top[i]);
      for (index_t i = 0; i < size; ++i) total += w[from + i] * loss[i];
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double*) const override {
    Softmax block(classes_);
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      block.normalise(classes_, size);
      for (index_t k = 0; k < classes_; ++k)
        for (index_t i = 0; i < size; ++i) {
          const double mu = block.mu[k * kBlock + i], share = y[k * n + from + i];
          residual[k * n + from + i] = w[from + i] * (block.best[i] == k ? (share - 1.0) + block.rest[i] : share - mu);
        }
    }
  }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t k = 0; k < classes_; ++k)
      for (index_t i = 0; i < n; ++i) {
        const double share = y[k * n + i];
        if (share > 0.0) total -= w[i] * share * std::log(share);
      }
    return total;
  }
  // sum_k divergence of s mu + (1 - s) y from mu
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    Softmax block(classes_);
    std::vector<double> to(kBlock);
    double total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      block.normalise(classes_, size);
      for (index_t k = 0; k < classes_; ++k) {
        double* mu = block.mu.data() + k * kBlock;
        for (index_t i = 0; i < size; ++i) {
          mu[i] = std::max(mu[i], 1e-300);
          to[i] = s * mu[i] + (1.0 - s) * y[k * n + from + i];
        }
        simd::divergence(to.data(), mu, to.data(), size);
        for (index_t i = 0; i < size; ++i) total += w[from + i] * to[i];
      }
    }
    return total;
  }
  // w (diag(mu) - mu mu' + d 11'), d small: along 1 the loss is flat, and the model shall not be
  void curvatures(const double*, const double* w, const double* eta, index_t n, double share, double* out) const override {
    Softmax block(classes_);
    std::vector<double> flat(kBlock);
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      block.normalise(classes_, size);
      std::fill_n(flat.begin(), size, 0.0);
      for (index_t k = 0; k < classes_; ++k)
        for (index_t i = 0; i < size; ++i) flat[i] += block.mu[k * kBlock + i] * (1.0 - block.mu[k * kBlock + i]);
      for (index_t i = 0; i < size; ++i) flat[i] *= share / static_cast<double>(classes_);
      double* to = out + from;
      for (index_t l = 0; l < classes_; ++l)
        for (index_t k = 0; k <= l; ++k, to += n) {
          const double* mu = block.mu.data() + k * kBlock;
          const double* other = block.mu.data() + l * kBlock;
          if (k < l)
            for (index_t i = 0; i < size; ++i) to[i] = w[from + i] * (flat[i] - mu[i] * other[i]);
          else
            for (index_t i = 0; i < size; ++i)
              to[i] = w[from + i] * (flat[i] + mu[i] * (block.best[i] == k ? block.rest[i] : 1.0 - mu[i]));
        }
    }
  }
  // d = w mu, r = sqrt(w) mu
  void split(const double* w, const double* eta, index_t n, double* diagonal, double* root) const override {
    Softmax block(classes_);
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      block.normalise(classes_, size);
      for (index_t i = 0; i < size; ++i) block.top[i] = std::sqrt(w[from + i]);
      for (index_t k = 0; k < classes_; ++k) {
        const double* mu = block.mu.data() + k * kBlock;
        double* d = diagonal + k * n + from;
        double* r = root + k * n + from;
        for (index_t i = 0; i < size; ++i) {
          d[i] = w[from + i] * mu[i];
          r[i] = block.top[i] * mu[i];
        }
      }
    }
  }
  bool may_separate() const override { return true; }

 private:
  const index_t classes_;
};

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double logistic(double x) {
  const double z = std::exp(-std::abs(x));
  return x >= 0.0 ? 1.0 / (1.0 + z) : z / (1.0 + z);
}

// Proportional odds, logit P(y > k) = eta - t_k with t_1 < ... < t_{K-1}, thresholds at their best for the eta given:
// the minimum over them of
//   sum_i w_i [softplus(t_y - eta) (y > 0) + softplus(eta - t_{y+1}) (y < K - 1)] - sum_{0<k<K-1} W_k log(1 - e^{t_k - t_{k+1}}),
// since P(y = k) is the product of three such factors. It is convex in (eta, t), so its minimum over t is convex in eta.
// An intercept changes nothing. The curvature given is that at fixed thresholds, an upper bound of it.
class Ordinal final : public Loss {
 public:
  // levels (n,): 0..classes - 1 of each row, held here; y is ignored
  Ordinal(const double* levels, index_t n, index_t classes) : levels_(levels, levels + n), classes_(classes) {}

  double value(const double*, const double* w, const double* eta, index_t n) const override {
    const std::vector<double> weight = class_weights(w, n);
    return loss(w, eta, n, thresholds(w, eta, n, weight), weight);
  }
  void derivatives(const double*, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    const std::vector<double> t = thresholds(w, eta, n, class_weights(w, n));
    for (index_t i = 0; i < n; ++i) {
      const index_t k = levels_[i];
      const double below = k > 0 ? logistic(t[k - 1] - eta[i]) : 0.0;
      const double above = k < classes_ - 1 ? logistic(eta[i] - t[k]) : 0.0;
      residual[i] = w[i] * (below - above);
      curvature[i] = w[i] * (below * (1.0 - below) + above * (1.0 - above));
    }
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  // Each factor's dual variable is scaled by s: that leaves the conditions for the thresholds, which are homogeneous.
  double scaling_gap(const double*, const double* w, const double* eta, index_t n, double s) const override {
    const std::vector<double> weight = class_weights(w, n);
    const std::vector<double> t = thresholds(w, eta, n, weight);
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const index_t k = levels_[i];
      if (k > 0) total += w[i] * row_gap(t[k - 1] - eta[i], s);
      if (k < classes_ - 1) total += w[i] * row_gap(eta[i] - t[k], s);
    }
    for (index_t k = 1; k < classes_ - 1; ++k) {
      const double m = 1.0 / std::expm1(t[k] - t[k - 1]);
      const double part = (1.0 + s * m) * std::log1p((1.0 - s) * m / (1.0 + s * m)) + (s > 0.0 ? s * m * std::log(s) : 0.0);
      total += weight[k] * std::max(0.0, part);
    }
    return total;
  }
  bool may_separate() const override { return true; }
  bool shift_invariant() const override { return true; }
  bool coupled() const override { return true; }
  std::unique_ptr<Curvature> second(const double* w, const double* eta, index_t n) const override {
    return std::make_unique<Second>(*this, w, eta, n);
  }

 private:
  // H = D - B T^-1 B': D at fixed thresholds, less what their move takes away (the Schur complement of T)
  class Second final : public Curvature {
   public:
    Second(const Ordinal& loss, const double* w, const double* eta, index_t n) : loss_(loss), below_(n), above_(n) {
      const std::vector<double> weight = loss.class_weights(w, n), t = loss.thresholds(w, eta, n, weight);
      std::vector<double> slope;
      loss.system(w, eta, n, t, weight, slope, diagonal_, beside_);
      for (index_t i = 0; i < n; ++i) {
        const index_t k = loss.levels_[i];
        if (k > 0) below_[i] = w[i] * bend(t[k - 1] - eta[i]);
        if (k < loss.classes_ - 1) above_[i] = w[i] * bend(eta[i] - t[k]);
      }
    }
    void times(const double* x, double* out) const override {
      std::vector<double> right(diagonal_.size(), 0.0), moved, diagonal = diagonal_;
      const index_t n = static_cast<index_t>(below_.size()), count = loss_.classes_ - 1;
      for (index_t i = 0; i < n; ++i) {
        const index_t k = loss_.levels_[i];
        if (k > 0) right[k - 1] += below_[i] * x[i];
        if (k < count) right[k] += above_[i] * x[i];
      }
      solve_tridiagonal(diagonal, beside_, right, moved);
      for (index_t i = 0; i < n; ++i) {
        const index_t k = loss_.levels_[i];
        out[i] = (k > 0 ? below_[i] * (x[i] - moved[k - 1]) : 0.0) + (k < count ? above_[i] * (x[i] - moved[k]) : 0.0);
      }
    }

   private:
    const Ordinal& loss_;
    std::vector<double> below_, above_, diagonal_, beside_;
  };
  static double bend(double q) {
    const double mu = logistic(-std::abs(q));
    return mu * (1.0 - mu);
  }

  // of softplus at q, dual variable s F(q): the divergence of (s F, 1 - s F) from (F, 1 - F)
  static double row_gap(double q, double s) {
    const double mu = logistic(q), rest = logistic(-q);
    const double part = (s > 0.0 ? s * mu * std::log(s) : 0.0) + (rest + (1.0 - s) * mu) * std::log1p((1.0 - s) * mu / rest);
    return std::max(0.0, part);
  }
  std::vector<double> class_weights(const double* w, index_t n) const {
    std::vector<double> weight(classes_, 0.0);
    for (index_t i = 0; i < n; ++i) weight[levels_[i]] += w[i];
    return weight;
  }
  double loss(const double* w, const double* eta, index_t n, const std::vector<double>& t,
              const std::vector<double>& weight) const {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const index_t k = levels_[i];
      if (k > 0) total += w[i] * softplus(t[k - 1] - eta[i]);
      if (k < classes_ - 1) total += w[i] * softplus(eta[i] - t[k]);
    }
    for (index_t k = 1; k < classes_ - 1; ++k) total -= weight[k] * std::log(-std::expm1(t[k - 1] - t[k]));
    return total;
  }
  // Slope and second derivatives of the loss in the thresholds: diagonal, and beside[k] in place (k, k - 1)
  void system(const double* w, const double* eta, index_t n, const std::vector<double>& t,
              const std::vector<double>& weight, std::vector<double>& slope, std::vector<double>& diagonal,
              std::vector<double>& beside) const {
    const index_t count = classes_ - 1;
    slope.assign(count, 0.0);
    diagonal.assign(count, 0.0);
    beside.assign(count, 0.0);
    for (index_t i = 0; i < n; ++i) {
      const index_t k = levels_[i];
      if (k > 0) {
        const double mu = logistic(t[k - 1] - eta[i]);
        slope[k - 1] += w[i] * mu;
        diagonal[k - 1] += w[i] * mu * (1.0 - mu);
      }
      if (k < count) {
        const double mu = logistic(eta[i] - t[k]);
        slope[k] -= w[i] * mu;
        diagonal[k] += w[i] * mu * (1.0 - mu);
      }
    }
    for (index_t k = 1; k < count; ++k) {  // -W log(1 - e^-d), d = t_k - t_{k-1}
      const double m = 1.0 / std::expm1(t[k] - t[k - 1]), bend = weight[k] * m * (1.0 + m);
      slope[k] -= weight[k] * m;
      slope[k - 1] += weight[k] * m;
      diagonal[k] += bend;
      diagonal[k - 1] += bend;
      beside[k] = -bend;
    }
    double steep = 0.0;  // where all is flat but for rounding, a step needs a bound
    for (index_t k = 0; k < count; ++k) steep += std::abs(slope[k]);
    for (index_t k = 0; k < count; ++k) diagonal[k] += 1e-10 * steep;
  }
  // Newton's method; steps are cut so that the thresholds keep their order and the loss falls.
  std::vector<double> thresholds(const double* w, const double* eta, index_t n, const std::vector<double>& weight) const {
    const index_t count = classes_ - 1;
    std::vector<double> t(count), slope, diagonal, beside, step(count), trial(count);
    double centre = 0.0, total = 0.0, below = 0.0;
    for (index_t i = 0; i < n; ++i) {
      centre += w[i] * eta[i];
      total += w[i];
    }
    for (index_t k = 0; k < count; ++k) {
      below += weight[k];
      t[k] = centre / total + std::log(below / (total - below));
    }
    double value = loss(w, eta, n, t, weight), last = INFINITY;
    for (int round = 0; round < 200; ++round) {
      system(w, eta, n, t, weight, slope, diagonal, beside);
      solve_tridiagonal(diagonal, beside, slope, step);
      double decrement = 0.0;
      for (index_t k = 0; k < count; ++k) decrement += slope[k] * step[k];
      // the last step is one that rounding alone would undo
      if (!(decrement > 1e-30 * total) || (decrement < 1e-20 * total && decrement >= 0.25 * last)) break;
      last = decrement;
      double share = 1.0, moved = 0.0;
      for (int halving = 0; halving < 60; ++halving, share *= 0.5) {
        bool ordered = true;
        for (index_t k = 0; k < count; ++k) {
          trial[k] = t[k] - share * step[k];
          ordered = ordered && (k == 0 || trial[k] > trial[k - 1]);
        }
        moved = ordered ? loss(w, eta, n, trial, weight) : INFINITY;
        if (moved <= value - 1e-4 * share * decrement + 1e-14 * std::abs(value)) break;
      }
      if (!std::isfinite(moved)) break;
      t = trial;
      value = moved;
    }
    return t;
  }
  // symmetric positive definite; beside[k] is entry (k, k - 1); diagonal is overwritten
  static void solve_tridiagonal(std::vector<double>& diagonal, const std::vector<double>& beside,
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

  std::vector<index_t> levels_;
  const index_t classes_;
};

}  // namespace

std::unique_ptr<Loss> make_multi(const std::string& family, const std::vector<double>& parameters) {
  if (parameters.size() != 1 || !(parameters[0] >= 1.0)) return nullptr;
  const auto count = static_cast<index_t>(parameters[0]);
  if (family == "multigaussian") return std::make_unique<MultiGaussian>(count);
  if (family == "multinomial" && count > 1) return std::make_unique<Multinomial>(count);
  return nullptr;
}

std::unique_ptr<Loss> make_ordinal(const double* levels, index_t n, index_t classes) {
  return std::make_unique<Ordinal>(levels, n, classes);
}

}  // namespace bridle
