// Families whose loss is quadratic, at least in pieces: gaussian, Huber, squared hinge.
#include <algorithm>
#include <cmath>

#include "losses.hpp"

namespace bridle {
namespace {

// 1/2 (y - eta)^2
class Gaussian final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total += w[i] * (y[i] - eta[i]) * (y[i] - eta[i]);
    return 0.5 * total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    for (index_t i = 0; i < n; ++i) {
      residual[i] = w[i] * (y[i] - eta[i]);
      curvature[i] = w[i];
    }
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    return (1.0 - s) * (1.0 - s) * value(y, w, eta, n);
  }
  bool quadratic() const override { return true; }
};

// 1/2 r^2 for |r| <= delta, else delta |r| - 1/2 delta^2; r = y - eta
class Huber final : public Loss {
 public:
  explicit Huber(double delta) : delta_(delta) {}
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const double r = std::abs(y[i] - eta[i]), inside = std::min(r, delta_);
      total += w[i] * inside * (r - 0.5 * inside);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    for (index_t i = 0; i < n; ++i) {
      const double r = y[i] - eta[i];
      residual[i] = w[i] * std::max(-delta_, std::min(delta_, r));
      curvature[i] = std::abs(r) <= delta_ ? w[i] : 0.0;
    }
  }
  bool sharp() const override { return true; }
  void raise(const double* y, const double* w, const double* eta, index_t n, double share,
             double* curvature) const override {
    for (index_t i = 0; i < n; ++i) {
      const double size = std::abs(y[i] - eta[i]);
      if (size > delta_) curvature[i] = share * w[i] * delta_ / size;
    }
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const double r = std::abs(y[i] - eta[i]);
      total += w[i] * (r <= delta_ ? 0.5 * (1.0 - s) * r * r : delta_ * (r - 0.5 * (1.0 + s) * delta_));
    }
    return (1.0 - s) * total;
  }
  double reach() const override { return kNoLimit; }

 private:
  const double delta_;
};

// 1/2 max(0, 1 - m)^2, m = eta for y = 1 and -eta for y = 0
class SquaredHinge final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const double short_of = std::max(0.0, 1.0 - (2.0 * y[i] - 1.0) * eta[i]);
      total += w[i] * short_of * short_of;
    }
    return 0.5 * total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    for (index_t i = 0; i < n; ++i) {
      const double side = 2.0 * y[i] - 1.0, short_of = 1.0 - side * eta[i];
      residual[i] = short_of > 0.0 ? w[i] * side * short_of : 0.0;
      curvature[i] = short_of > 0.0 ? w[i] : 0.0;
    }
  }
  bool sharp() const override { return true; }
  void raise(const double*, const double* w, const double*, index_t n, double share, double* curvature) const override {
    for (index_t i = 0; i < n; ++i) curvature[i] = std::max(curvature[i], share * w[i]);
  }
  double saturated(const double*, const double*, index_t) const override { return 0.0; }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    return (1.0 - s) * (1.0 - s) * value(y, w, eta, n);
  }
  double reach() const override { return kNoLimit; }
};

}  // namespace

std::unique_ptr<Loss> make_piecewise_loss(const std::string& family, const std::vector<double>& p) {
  if (family == "gaussian" && p.empty()) return std::make_unique<Gaussian>();
  if (family == "huber" && p.size() == 1) return std::make_unique<Huber>(p[0]);
  if (family == "squared_hinge" && p.empty()) return std::make_unique<SquaredHinge>();
  return nullptr;
}

}  // namespace bridle
