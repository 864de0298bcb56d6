// Families whose loss is m log(1 + e^z) and a linear term: z a shifted or stretched predictor, m a multiple.
#include <algorithm>
#include <cmath>

#include "losses.hpp"

namespace bridle {
namespace {

constexpr index_t kBlock = 512;  // rows whose exponentials are kept on the stack

constexpr double kFar = 600.0;   // of |z|, before e^-|z| is no normal number

// Of a row: m log(1 + e^z) - linear, z = stretch * (eta - shift), with slope stretch * m (e^z/(1 + e^z) - q). A form has
//   multiple(y)  m          share(y)  q in [0, 1], and other(y) = 1 - q
//   z(y, eta)               stretch() dz/deta
//   linear(y, eta)          what is subtracted: m q z but for a constant
//   least(y)                the least loss
// separates: may_separate; sharp: z is stretched so far that Newton's model holds close by only.
template <class Form>
class Logistic : public Loss {
 public:
  explicit Logistic(Form form = Form()) : form_(form) {}
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double buffer[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      for (index_t i = 0; i < size; ++i) buffer[i] = -std::abs(form_.z(y[from + i], eta[from + i]));
      simd::exp(buffer, buffer, size);
      simd::log1p_unit(buffer, buffer, size);
      total += rows(y + from, w + from, eta + from, buffer, size);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    slopes(y, w, eta, n, residual, curvature, [](index_t, index_t, const double*, const double*) {});
  }
  // log(1 + e^-|z|) = log(1 + l/u), u and l the larger and the smaller of e^z/(1 + e^z) and 1/(1 + e^z)
  double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual,
                  double* curvature) const override {
    double buffer[kBlock], total = 0.0;
    slopes(y, w, eta, n, residual, curvature, [&](index_t from, index_t size, const double* upper, const double* lower) {
      for (index_t i = 0; i < size; ++i) buffer[i] = std::min(upper[i], lower[i]) / std::max(upper[i], lower[i]);
      simd::log1p_unit(buffer, buffer, size);
      total += rows(y + from, w + from, eta + from, buffer, size);
    });
    return total;
  }
  bool self_concordant() const override { return !Form::sharp; }
  bool sharp() const override { return Form::sharp; }
  // The parabola of Jaakkola and Jordan (2000), with curvature tanh(z/2) / (2 z).
  void raise(const double* y, const double* w, const double* eta, index_t n, double share,
             double* curvature) const override {
    if (!sharp()) return;
    const double stretch = form_.stretch();
    for (index_t i = 0; i < n; ++i) {
      const double z = std::abs(form_.z(y[i], eta[i])), bound = z < 1e-4 ? 0.25 : std::tanh(0.5 * z) / (2.0 * z);
      curvature[i] = std::max(curvature[i], share * w[i] * form_.multiple(y[i]) * stretch * stretch * bound);
    }
  }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total += w[i] * form_.least(y[i]);
    return total;
  }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double mu[kBlock], rest[kBlock], to[kBlock], move[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      for (index_t i = 0; i < size; ++i) move[i] = -std::abs(form_.z(y[from + i], eta[from + i]));
      simd::exp(move, move, size);
      for (index_t i = 0; i < size; ++i) {
        const index_t row = from + i;
        const double z = move[i], scale = 1.0 / (1.0 + z);
        const bool up = form_.z(y[row], eta[row]) >= 0.0;
        mu[i] = up ? scale : z * scale;
        rest[i] = up ? z * scale : scale;
        move[i] = (1.0 - s) * (form_.other(y[row]) * mu[i] - form_.share(y[row]) * rest[i]);
        to[i] = std::max(0.0, mu[i] - move[i]);
        if (const double far = std::abs(form_.z(y[row], eta[row])); far > kFar) {
          // e^-|z| loses its digits, and its logarithm with it: the smaller side's divergence from it by hand
          const double t = up ? rest[i] + move[i] : to[i];
          if (t > 0.0) total += w[row] * form_.multiple(y[row]) * (t * (std::log(t) + far - 1.0));
          (up ? rest[i] : mu[i]) = 1.0;
          if (up)
            move[i] = 0.0;
          else
            to[i] = 1.0;
        }
      }
      simd::divergence(to, mu, mu, size);
      for (index_t i = 0; i < size; ++i) to[i] = std::max(0.0, rest[i] + move[i]);
      simd::divergence(to, rest, rest, size);
      for (index_t i = 0; i < size; ++i) total += w[from + i] * form_.multiple(y[from + i]) * (mu[i] + rest[i]);
    }
    return total;
  }
  bool may_separate() const override { return Form::separates; }
  double reach() const override { return 2.0 / form_.stretch(); }

 private:
  // Sum of w (m log(1 + e^z) - linear); log1p: log(1 + e^-|z|), used up
  double rows(const double* y, const double* w, const double* eta, double* log1p, index_t size) const {
    for (index_t i = 0; i < size; ++i) {
      const double upper = std::max(form_.z(y[i], eta[i]), 0.0) + log1p[i];
      log1p[i] = w[i] * (form_.multiple(y[i]) * upper - form_.linear(y[i], eta[i]));
    }
    return simd::sum(log1p, size);
  }
  // use(first row, rows, e^z/(1 + e^z), 1/(1 + e^z)) after each block
  template <class Use>
  void slopes(const double* y, const double* w, const double* eta, index_t n, double* residual, double* curvature,
              const Use& use) const {
    const double stretch = form_.stretch();
    double upper[kBlock], lower[kBlock];
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      for (index_t i = 0; i < size; ++i) upper[i] = form_.z(y[from + i], eta[from + i]);
      simd::logistic(upper, upper, lower, size);
      for (index_t i = 0; i < size; ++i) {
        const double t = y[from + i], weight = w[from + i] * form_.multiple(t) * stretch;
        residual[from + i] = weight * (form_.share(t) * lower[i] - form_.other(t) * upper[i]);  // keeps its digits at the ends
        curvature[from + i] = weight * stretch * (upper[i] * lower[i]);
      }
      use(from, size, upper, lower);
    }
  }
  const Form form_;
};

// log(1 + e^eta) - y eta
struct Binomial {
  static constexpr bool separates = true, sharp = false;
  double multiple(double) const { return 1.0; }
  double share(double y) const { return y; }
  double other(double y) const { return 1.0 - y; }
  double z(double, double eta) const { return eta; }
  double stretch() const { return 1.0; }
  double linear(double y, double eta) const { return y * eta; }
  double least(double y) const { return -xlogy(y, y) - xlogy(1.0 - y, 1.0 - y); }
};

// (y + theta) log(1 + e^eta / theta) - y eta: counts with variance mu + mu^2 / theta
struct NegativeBinomial {
  static constexpr bool separates = false, sharp = false;
  double theta, log_theta;
  explicit NegativeBinomial(double value) : theta(value), log_theta(std::log(value)) {}
  double multiple(double y) const { return y + theta; }
  double share(double y) const { return y / (y + theta); }
  double other(double y) const { return theta / (y + theta); }
  double z(double, double eta) const { return eta - log_theta; }
  double stretch() const { return 1.0; }
  double linear(double y, double eta) const { return y * eta; }
  double least(double y) const { return (y + theta) * std::log1p(y / theta) - xlogy(y, y); }
};

// tau (y - eta) + h log(1 + e^((eta - y) / h)): the pinball loss convolved with a logistic kernel of bandwidth h
struct Quantile {
  static constexpr bool separates = false, sharp = true;
  double tau, h;
  double multiple(double) const { return h; }
  double share(double) const { return tau; }
  double other(double) const { return 1.0 - tau; }
  double z(double y, double eta) const { return (eta - y) / h; }
  double stretch() const { return 1.0 / h; }
  double linear(double y, double eta) const { return tau * (eta - y); }
  double least(double) const { return -h * (xlogy(tau, tau) + xlogy(1.0 - tau, 1.0 - tau)); }
};

}  // namespace

std::unique_ptr<Loss> make_logistic_loss(const std::string& family, const std::vector<double>& p) {
  if (family == "binomial" && p.empty()) return std::make_unique<Logistic<Binomial>>();
  if (family == "negative_binomial" && p.size() == 1)
    return std::make_unique<Logistic<NegativeBinomial>>(NegativeBinomial(p[0]));
  if (family == "quantile" && p.size() == 2) return std::make_unique<Logistic<Quantile>>(Quantile{p[0], p[1]});
  return nullptr;
}

}  // namespace bridle
