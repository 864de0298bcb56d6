#include "losses.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "losses_multi.hpp"

namespace bridle {
namespace {

constexpr index_t kBlock = 512;  // rows whose exponentials are kept on the stack

double xlogy(double x, double y) { return x == 0.0 ? 0.0 : x * std::log(y); }

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

// log(1 + e^eta) - y eta
class Binomial final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double buffer[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      for (index_t i = 0; i < size; ++i) buffer[i] = -std::abs(eta[from + i]);
      simd::exp(buffer, buffer, size);
      simd::log1p_unit(buffer, buffer, size);
      for (index_t i = 0; i < size; ++i) {
        const double e = eta[from + i];
        total += w[from + i] * (std::max(e, 0.0) - y[from + i] * e + buffer[i]);
      }
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    for (index_t i = 0; i < n; ++i) residual[i] = -std::abs(eta[i]);
    simd::exp(residual, residual, n);
    for (index_t i = 0; i < n; ++i) {
      const double z = residual[i], scale = 1.0 / (1.0 + z);  // z = e^-|eta|: nothing overflows, both tails exact
      const double upper = eta[i] >= 0.0 ? scale : z * scale, lower = eta[i] >= 0.0 ? z * scale : scale;
      residual[i] = w[i] * (y[i] * lower - (1.0 - y[i]) * upper);  // y - mu with no loss of digits at the ends
      curvature[i] = w[i] * (z * scale * scale);
    }
  }
  double saturated(const double* y, const double* w, index_t n) const override {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) total -= w[i] * (xlogy(y[i], y[i]) + xlogy(1.0 - y[i], 1.0 - y[i]));
    return total;
  }
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override {
    double mu[kBlock], rest[kBlock], to[kBlock], move[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      for (index_t i = 0; i < size; ++i) move[i] = -std::abs(eta[from + i]);
      simd::exp(move, move, size);
      for (index_t i = 0; i < size; ++i) {
        const index_t row = from + i;
        const double z = move[i], scale = 1.0 / (1.0 + z);
        mu[i] = eta[row] >= 0.0 ? scale : z * scale;
        rest[i] = eta[row] >= 0.0 ? z * scale : scale;
        move[i] = (1.0 - s) * ((1.0 - y[row]) * mu[i] - y[row] * rest[i]);
        to[i] = std::max(0.0, mu[i] - move[i]);
      }
      simd::divergence(to, mu, mu, size);
      for (index_t i = 0; i < size; ++i) to[i] = std::max(0.0, rest[i] + move[i]);
      simd::divergence(to, rest, rest, size);
      for (index_t i = 0; i < size; ++i) total += w[from + i] * (mu[i] + rest[i]);
    }
    return total;
  }
  bool may_separate() const override { return true; }
};

// e^eta - y eta
class Poisson final : public Loss {
 public:
  double value(const double* y, const double* w, const double* eta, index_t n) const override {
    double buffer[kBlock], total = 0.0;
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      simd::exp(eta + from, buffer, size);
      for (index_t i = 0; i < size; ++i)
        if (w[from + i] > 0.0) total += w[from + i] * (buffer[i] - y[from + i] * eta[from + i]);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override {
    simd::exp(eta, curvature, n);
    for (index_t i = 0; i < n; ++i) {
      residual[i] = w[i] > 0.0 ? w[i] * (y[i] - curvature[i]) : 0.0;
      curvature[i] = w[i] > 0.0 ? w[i] * curvature[i] : 0.0;
    }
  }
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

}  // namespace

std::unique_ptr<Loss> make_loss(const std::string& family, const std::vector<double>& parameters) {
  if (auto several = make_multi(family, parameters)) return several;
  if (!parameters.empty()) return nullptr;
  if (family == "gaussian") return std::make_unique<Gaussian>();
  if (family == "binomial") return std::make_unique<Binomial>();
  if (family == "poisson") return std::make_unique<Poisson>();
  return nullptr;
}

}  // namespace bridle
