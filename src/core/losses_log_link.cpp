// Families with a log link: Poisson, gamma, and Tweedie's between them.
#include <algorithm>
#include <cmath>

#include "losses.hpp"

namespace bridle {
namespace {

constexpr index_t kBlock = 512;  // rows whose exponentials are kept on the stack

// Of a row without its weight.
struct Row {
  double loss, residual, curvature;
};

// The weighted sum of losses, with residual and curvature (n,): prepare(from, size) makes a block's exponentials, and row(i, at)
// tells of row `at`, the block's number i. Rows without weight count nothing, whatever they hold.
template <class Prepare, class Tell>
double evaluate_rows(const double* w, index_t n, double* residual, double* curvature, const Prepare& prepare, const Tell& row) {
  double loss[kBlock], total = 0.0;
  for (index_t from = 0; from < n; from += kBlock) {
    const index_t size = std::min(kBlock, n - from);
    prepare(from, size);
    for (index_t i = 0; i < size; ++i) {
      const index_t at = from + i;
      const bool counts = w[at] > 0.0;
      const Row unit = row(i, at);
      residual[at] = counts ? w[at] * unit.residual : 0.0;
      curvature[at] = counts ? w[at] * unit.curvature : 0.0;
      loss[i] = counts ? w[at] * unit.loss : 0.0;
    }
    total += simd::sum(loss, size);
  }
  return total;
}

// The weighted sum of a block's losses, which are used up.
double weighted(const double* w, double* loss, index_t size) {
  for (index_t i = 0; i < size; ++i) loss[i] = w[i] > 0.0 ? w[i] * loss[i] : 0.0;
  return simd::sum(loss, size);
}

// e^eta - y eta
class Poisson final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double buffer[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      simd::exp(eta + from, buffer, size);
      for (index_t i = 0; i < size; ++i) buffer[i] -= y[from + i] * eta[from + i];
      total += weighted(w + from, buffer, size);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    evaluate(y, w, eta, n, residual, curvature);
  }
  double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual,
                  double* curvature) const override {
    double mu[kBlock];
    return evaluate_rows(
        w, n, residual, curvature, [&](index_t from, index_t size) { simd::exp(eta + from, mu, size); },
        [&](index_t i, index_t at) { return Row{mu[i] - y[at] * eta[at], y[at] - mu[i], mu[i]}; });
  }
  bool self_concordant() const override { return true; }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total += w[i] * (y[i] - xlogy(y[i], y[i]));
    return total;
  }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double mu[kBlock], to[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      simd::exp(eta + from, mu, size);
      for (index_t i = 0; i < size; ++i) to[i] = std::max(0.0, s * mu[i] + (1.0 - s) * y[from + i]);
      simd::divergence(to, mu, to, size);
      for (index_t i = 0; i < size; ++i)
        if (w[from + i] > 0.0) total += w[from + i] * to[i];
    }
    return total;
  }
};

// y e^-eta + eta
class Gamma final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double ratio[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      ratios(y + from, eta + from, ratio, size);
      for (index_t i = 0; i < size; ++i) ratio[i] += eta[from + i];
      total += weighted(w + from, ratio, size);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    evaluate(y, w, eta, n, residual, curvature);
  }
  double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual,
                  double* curvature) const override {
    double ratio[kBlock];
    return evaluate_rows(
        w, n, residual, curvature, [&](index_t from, index_t size) { ratios(y + from, eta + from, ratio, size); },
        [&](index_t i, index_t at) { return Row{ratio[i] + eta[at], ratio[i] - 1.0, ratio[i]}; });
  }
  bool self_concordant() const override { return true; }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total += w[i] * (1.0 + std::log(y[i]));
    return total;
  }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double ratio[kBlock], to[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      ratios(y + from, eta + from, ratio, size);
      for (index_t i = 0; i < size; ++i) to[i] = 1.0 - s + s * ratio[i];
      simd::divergence(to, ratio, to, size);
      for (index_t i = 0; i < size; ++i)
        if (w[from + i] > 0.0) total += w[from + i] * to[i];
    }
    return total;
  }

 private:
  // y e^-eta, (n,)
  static void ratios(const double* y, const double* eta, double* out, index_t n) {
    for (index_t i = 0; i < n; ++i) out[i] = -eta[i];
    simd::exp(out, out, n);
    for (index_t i = 0; i < n; ++i) out[i] *= y[i];
  }
};

// y (e^(-a eta) - 1)/a + (e^(b eta) - 1)/b, a = power - 1, b = 2 - power: variance mu^power, 1 < power < 2. The
// constants make Poisson and gamma its limits.
class Tweedie final : public Loss {
 public:
  explicit Tweedie(double power) : a_(power - 1.0), b_(2.0 - power) {}
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double down[kBlock], up[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      powers(eta + from, down, up, size, true);
      for (index_t i = 0; i < size; ++i) down[i] = y[from + i] * down[i] / a_ + up[i] / b_;
      total += weighted(w + from, down, size);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    slopes(y, w, eta, n, residual, curvature);
  }
  double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual,
                  double* curvature) const override {
    const double total = slopes(y, w, eta, n, residual, curvature);
    return std::min(a_, b_) < kSmall ? value(y, w, eta, n) : total;
  }
  bool self_concordant() const override { return true; }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total += w[i] * least(y[i]);
    return total;
  }
  // The conjugate has no closed form: eta moves by d to where the slope is s u, up e^(bd) - down e^(-ad) = s (up - down).
  // The gap is then that of Poisson for up and for down, D(up e^(bd), up)/b + D(down e^(-ad), down)/a.
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double down[kBlock], up[kBlock], to_down[kBlock], to_up[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      powers(eta + from, down, up, size, false);
      for (index_t i = 0; i < size; ++i) {
        down[i] *= y[from + i];
        if (y[from + i] == 0.0) {
          to_down[i] = 0.0;
          to_up[i] = s * up[i];
        } else {
          const double d = move(down[i], up[i], s, std::log(y[from + i]) - eta[from + i]);
          to_down[i] = down[i] * std::exp(-a_ * d);
          to_up[i] = up[i] * std::exp(b_ * d);
        }
      }
      simd::divergence(to_up, up, to_up, size);
      for (index_t i = 0; i < size; ++i) total += w[from + i] > 0.0 ? w[from + i] * to_up[i] / b_ : 0.0;
      for (index_t i = 0; i < size; ++i) up[i] = std::max(down[i], 1e-300);
      simd::divergence(to_down, up, to_down, size);
      for (index_t i = 0; i < size; ++i)
        if (w[from + i] > 0.0 && down[i] > 0.0) total += w[from + i] * to_down[i] / a_;
    }
    return total;
  }

 private:
  // e^(-a eta) and e^(b eta), less 1 if so; where a or b is small that has to be done without cancellation
  void powers(const double* eta, double* down, double* up, index_t n, bool less_one) const {
    for (index_t i = 0; i < n; ++i) down[i] = -a_ * eta[i];
    for (index_t i = 0; i < n; ++i) up[i] = b_ * eta[i];
    if (less_one && std::min(a_, b_) < kSmall) {
      for (index_t i = 0; i < n; ++i) down[i] = std::expm1(down[i]);
      for (index_t i = 0; i < n; ++i) up[i] = std::expm1(up[i]);
      return;
    }
    simd::exp(down, down, n);
    simd::exp(up, up, n);
    if (!less_one) return;
    for (index_t i = 0; i < n; ++i) down[i] -= 1.0;
    for (index_t i = 0; i < n; ++i) up[i] -= 1.0;
  }
  double least(double y) const {
    if (y == 0.0) return -1.0 / b_;
    const double eta = std::log(y);
    return y * std::expm1(-a_ * eta) / a_ + std::expm1(b_ * eta) / b_;
  }
  // d between 0 and end, where eta would be log y and the slope 0: Newton, held in a bracket.
  double move(double down, double up, double s, double end) const {
    const double aim = s * (up - down);
    double low = std::min(0.0, end), high = std::max(0.0, end), d = s < 0.5 ? end : 0.0;
    for (int step = 0; step < 100; ++step) {
      const double left = down * std::exp(-a_ * d), right = up * std::exp(b_ * d);
      const double over = right - left - aim;
      (over > 0.0 ? high : low) = d;
      double next = d - over / (a_ * left + b_ * right);
      if (!(next >= low && next <= high)) next = 0.5 * (low + high);
      if (std::abs(next - d) <= 1e-14 * (1.0 + std::abs(d))) return next;
      d = next;
    }
    return d;
  }
  // Both derivatives, and the value where that doesn't cancel.
  double slopes(const double* y, const double* w, const double* eta, index_t n, double* residual, double* curvature) const {
    double downs[kBlock], ups[kBlock];
    return evaluate_rows(
        w, n, residual, curvature, [&](index_t from, index_t size) { powers(eta + from, downs, ups, size, false); },
        [&](index_t i, index_t at) {
          const double down = y[at] * downs[i], up = ups[i];
          return Row{(down - y[at]) / a_ + (up - 1.0) / b_, down - up, a_ * down + b_ * up};
        });
  }
  static constexpr double kSmall = 0.05;
  const double a_, b_;
};

}  // namespace

std::unique_ptr<Loss> make_log_link_loss(const std::string& family, const std::vector<double>& p) {
  if (family == "poisson" && p.empty()) return std::make_unique<Poisson>();
  if (family == "gamma" && p.empty()) return std::make_unique<Gamma>();
  if (family == "tweedie" && p.size() == 1 && p[0] > 1.0 && p[0] < 2.0) return std::make_unique<Tweedie>(p[0]);
  return nullptr;
}

}  // namespace bridle
