#include "losses_multi.hpp"

#include <algorithm>
#include <cmath>

#include "vectors.hpp"

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

// The loops of Softmax and Multinomial, for a block of rows.
BRIDLE_CLONES void keep_largest(const double* eta, double k, index_t size, double* top, double* best) {
  for (index_t i = 0; i < size; ++i) {
    best[i] = eta[i] > top[i] ? k : best[i];
    top[i] = eta[i] > top[i] ? eta[i] : top[i];
  }
}
BRIDLE_CLONES void less(const double* eta, const double* top, index_t size, double* out) {
  for (index_t i = 0; i < size; ++i) out[i] = eta[i] - top[i];
}
BRIDLE_CLONES void add_others(const double* mu, const double* best, double k, index_t size, double* rest) {
  for (index_t i = 0; i < size; ++i) rest[i] += best[i] == k ? 0.0 : mu[i];
}
BRIDLE_CLONES void multiply(const double* by, index_t size, double* out) {
  for (index_t i = 0; i < size; ++i) out[i] *= by[i];
}
BRIDLE_CLONES void residuals(const double* w, const double* y, const double* mu, const double* best, const double* rest,
                             double k, index_t size, double* out) {
  for (index_t i = 0; i < size; ++i) out[i] = w[i] * (best[i] == k ? (y[i] - 1.0) + rest[i] : y[i] - mu[i]);
}

// Probabilities of a block of rows, and which class is likeliest; rest is what the others have together, so that
// 1 - mu keeps its digits where mu is next to 1.
struct Softmax {
  explicit Softmax(index_t classes) : mu(classes * kBlock), top(kBlock), sum(kBlock), rest(kBlock), best(kBlock), loss(kBlock) {}

  // eta (n, K) by columns, rows from..from + size; log_sum: log sum_k e^eta_k
  void read(const double* eta, index_t n, index_t classes, index_t from, index_t size) {
    std::copy_n(eta + from, size, top.data());
    std::fill_n(best.begin(), size, 0.0);
    for (index_t k = 1; k < classes; ++k)
      keep_largest(eta + k * n + from, static_cast<double>(k), size, top.data(), best.data());
    std::fill_n(rest.begin(), size, 0.0);
    for (index_t k = 0; k < classes; ++k) {
      double* to = mu.data() + k * kBlock;
      less(eta + k * n + from, top.data(), size, to);
      simd::exp(to, to, size);
      add_others(to, best.data(), static_cast<double>(k), size, rest.data());
    }
    for (index_t i = 0; i < size; ++i) sum[i] = 1.0 + rest[i];
  }
  void normalise(index_t classes, index_t size) {
    for (index_t i = 0; i < size; ++i) sum[i] = 1.0 / sum[i];
    for (index_t k = 0; k < classes; ++k) multiply(sum.data(), size, mu.data() + k * kBlock);
    multiply(sum.data(), size, rest.data());
  }
  std::vector<double> mu, top, sum, rest, best, loss;
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
      total += value_of(block, y, w, eta, n, from, size);
    }
    return total;
  }
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double*) const override {
    slopes(y, w, eta, n, residual, [](index_t, index_t, Softmax&) {});
  }
  double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual, double*) const override {
    double total = 0.0;
    slopes(y, w, eta, n, residual, [&](index_t from, index_t size, Softmax& block) {
      total += value_of(block, y, w, eta, n, from, size);
    });
    return total;
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
              to[i] = w[from + i] * (flat[i] + mu[i] * (block.best[i] == static_cast<double>(k) ? block.rest[i] : 1.0 - mu[i]));
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
  // Loss of a block that was read, from..from + size.
  double value_of(Softmax& block, const double* y, const double* w, const double* eta, index_t n, index_t from,
                  index_t size) const {
    double total = 0.0;
    double* loss = block.loss.data();
    for (index_t i = 0; i < size; ++i) loss[i] = std::log1p(block.rest[i]);
    for (index_t k = 0; k < classes_; ++k)  // against the largest, so that nothing cancels where the fit is sure
      for (index_t i = 0; i < size; ++i) loss[i] -= y[k * n + from + i] * (eta[k * n + from + i] - block.top[i]);
    for (index_t i = 0; i < size; ++i) total += w[from + i] * loss[i];
    return total;
  }
  // use(first row, rows, block) of each block that is read
  template <class Use>
  void slopes(const double* y, const double* w, const double* eta, index_t n, double* residual, const Use& use) const {
    Softmax block(classes_);
    for (index_t from = 0; from < n; from += kBlock) {
      const index_t size = std::min(kBlock, n - from);
      block.read(eta, n, classes_, from, size);
      use(from, size, block);
      block.normalise(classes_, size);
      for (index_t k = 0; k < classes_; ++k)
        residuals(w + from, y + k * n + from, block.mu.data() + k * kBlock, block.best.data(), block.rest.data(),
                  static_cast<double>(k), size, residual + k * n + from);
    }
  }
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

}  // namespace bridle
