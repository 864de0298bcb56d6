#include "block_rows.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "conjugate.hpp"

namespace bridle {
namespace {

constexpr index_t kLeast = 100;        // cells
constexpr double kShare = 3.0;          // of the cost of the cells' own matrix, whose memory is slower
constexpr double kFlat = 1e-6;         // share of a block's curvature from the norm below which a direction has none
constexpr double kSolved = 1e-3;       // of what the step promises, that it may miss
constexpr index_t kProducts = 25;      // with an old factor; with a new one few are needed
constexpr double kJitter = 1e-12;

char kUpper = 'U', kTrans = 'T', kPlain = 'N', kRight = 'R';
double kOne = 1.0, kMinus = -1.0, kZero = 0.0;

bool is_flat(const Curve& curve) { return !(curve.along > kFlat * curve.across) || curve.along == 0.0; }

}  // namespace

void RowNewton::reset(const double* weights) {
  n_ = x_.rows();
  root_.resize(n_);
  share_.assign(weights, weights + n_);
  const double total = simd::sum(weights, n_);
  for (index_t i = 0; i < n_; ++i) {
    root_[i] = std::sqrt(weights[i]);
    share_[i] = total > 0.0 ? share_[i] / total : 0.0;
  }
  pool_.clear();
  slot_.assign(x_.design.columns(), -1);
}

bool RowNewton::suits(index_t cells, const std::vector<Curve>& curves) const {
  const double n = static_cast<double>(n_), c = static_cast<double>(cells);
  index_t flat = 0;
  for (const Curve& curve : curves) {
    if (curve.along < 0.0 || (curve.count() > 1 && !(curve.across > 0.0))) return false;
    flat += is_flat(curve);
  }
  const double f = static_cast<double>(flat);
  return n_ > 0 && cells >= kLeast && f < 0.8 * n && n * n * (c + 6.0 * f + n / 3.0) < kShare * c * c * c / 3.0;
}

double RowNewton::factor_price() const {
  const double n = static_cast<double>(n_);
  return n * n * (static_cast<double>(cells_) + 6.0 * static_cast<double>(flat_) + n / 3.0);
}

// Columns of A that aren't there yet, centred under the weights.
void RowNewton::take_columns(const std::vector<index_t>& features) {
  if (static_cast<index_t>(pool_.size()) > 4 * n_ * cells_) {  // most of them are of no use any more
    pool_.clear();
    std::fill(slot_.begin(), slot_.end(), -1);
  }
  const double one = 1.0;
  std::vector<double> column(n_);
  for (index_t j : features) {
    if (slot_[j] >= 0) continue;
    slot_[j] = static_cast<index_t>(pool_.size());
    std::fill(column.begin(), column.end(), x_.centred ? -x_.centre[j] : 0.0);
    x_.design.add(&j, 1, &one, column.data());
    const double mean = x_.centred ? simd::dot(share_.data(), column.data(), n_) : 0.0;
    for (index_t i = 0; i < n_; ++i) pool_.push_back(root_[i] * (column[i] - mean) / x_.scale[j]);
  }
  columns_.clear();
  for (index_t j : features) columns_.push_back(pool_.data() + slot_[j]);
}

void RowNewton::dots(const Curve& curve, const double* v, double* out) const {
  index_t c = curve.first;
  std::fill_n(out, curve.count(), 0.0);
  for (; c + 4 <= curve.last; c += 4, out += 4) simd::dot4(columns_.data() + c, v, n_, out);
  for (; c < curve.last; ++c) *out++ = simd::dot(columns_[c], v, n_);
}

void RowNewton::add(const Curve& curve, const double* coef, double* v) const {
  index_t c = curve.first;
  for (; c + 4 <= curve.last; c += 4, coef += 4) simd::axpy4(coef, columns_.data() + c, v, n_);
  for (; c < curve.last; ++c) simd::axpy(*coef++, columns_[c], v, n_);
}

void RowNewton::bend(const Curve& curve, double* values) const {
  const index_t count = curve.count();
  const double* d = direction_ + curve.first;
  const double along = simd::dot(d, values, count), own = is_flat(curve) ? 0.0 : along / curve.along;
  for (index_t i = 0; i < count; ++i)
    values[i] = (count > 1 ? (values[i] - along * d[i]) / curve.across : 0.0) + own * d[i];
}

// Y, its Gram matrix's factor, and V = Y U^-1
bool RowNewton::take_flat() {
  flat_ = 0;
  for (const Curve& curve : *curves_) flat_ += is_flat(curve);
  basis_.assign(n_ * flat_, 0.0);
  upper_.assign(flat_ * flat_, 0.0);
  if (flat_ == 0) return true;
  double* to = basis_.data();
  for (const Curve& curve : *curves_)
    if (is_flat(curve)) {
      add(curve, direction_ + curve.first, to);
      to += n_;
    }
  int rows = static_cast<int>(n_), size = static_cast<int>(flat_), info = 0;
  blas().dsyrk(&kUpper, &kTrans, &size, &rows, &kOne, basis_.data(), &rows, &kZero, upper_.data(), &size);
  double largest = 0.0;
  for (index_t a = 0; a < flat_; ++a) largest = std::max(largest, upper_[a * flat_ + a]);
  for (index_t a = 0; a < flat_; ++a) upper_[a * flat_ + a] += kJitter * largest;
  blas().dpotrf(&kUpper, &size, upper_.data(), &size, &info);
  if (info != 0) return false;
  blas().dtrsm(&kRight, &kUpper, &kPlain, &kPlain, &rows, &size, &kOne, upper_.data(), &size, basis_.data(), &rows);
  return true;
}

// v = Q v
void RowNewton::project(std::vector<double>& v) const {
  std::vector<double> along(flat_);
  for (index_t a = 0; a < flat_; ++a) along[a] = simd::dot(basis_.data() + a * n_, v.data(), n_);
  for (index_t a = 0; a < flat_; ++a) simd::axpy(-along[a], basis_.data() + a * n_, v.data(), n_);
}

// out = M v, for v = Q v
void RowNewton::product(const std::vector<double>& v, std::vector<double>& out) {
  out.assign(n_, 0.0);
  for (const Curve& curve : *curves_) {
    dots(curve, v.data(), held_.data());
    bend(curve, held_.data());
    add(curve, held_.data(), out.data());
  }
  project(out);
  for (index_t i = 0; i < n_; ++i) out[i] += v[i];
}

// K = A S^-1 A', then M = I + Q K Q = I + K - B V' - V B' with B = K V - V (V'K V) / 2
void RowNewton::factor() {
  std::vector<double> scaled(n_ * cells_, 0.0);
  index_t at = 0;
  for (const Curve& curve : *curves_) {
    const index_t count = curve.count();
    const double* d = direction_ + curve.first;
    std::vector<double> along(n_, 0.0);  // A d
    add(curve, d, along.data());
    const double across = count > 1 ? 1.0 / std::sqrt(curve.across) : 0.0,
                 own = is_flat(curve) ? 0.0 : 1.0 / std::sqrt(curve.along);
    for (index_t c = 0; c < count; ++c, ++at) {
      simd::axpy(across, columns_[at], scaled.data() + at * n_, n_);
      simd::axpy((own - across) * d[c], along.data(), scaled.data() + at * n_, n_);
    }
  }
  factor_.assign(n_ * n_, 0.0);
  int n = static_cast<int>(n_), c = static_cast<int>(cells_), f = static_cast<int>(flat_), info = 0;
  blas().dsyrk(&kUpper, &kPlain, &n, &c, &kOne, scaled.data(), &n, &kZero, factor_.data(), &n);
  if (flat_ > 0) {
    for (index_t b = 0; b < n_; ++b)
      for (index_t a = 0; a < b; ++a) factor_[a * n_ + b] = factor_[b * n_ + a];
    std::vector<double> product(n_ * flat_), inner(flat_ * flat_);
    double half = -0.5;
    blas().dgemm(&kPlain, &kPlain, &n, &f, &n, &kOne, factor_.data(), &n, basis_.data(), &n, &kZero, product.data(), &n);
    blas().dgemm(&kTrans, &kPlain, &f, &f, &n, &kOne, basis_.data(), &n, product.data(), &n, &kZero, inner.data(), &f);
    blas().dgemm(&kPlain, &kPlain, &n, &f, &f, &half, basis_.data(), &n, inner.data(), &f, &kOne, product.data(), &n);
    blas().dgemm(&kPlain, &kTrans, &n, &n, &f, &kMinus, product.data(), &n, basis_.data(), &n, &kOne, factor_.data(), &n);
    blas().dgemm(&kPlain, &kTrans, &n, &n, &f, &kMinus, basis_.data(), &n, product.data(), &n, &kOne, factor_.data(), &n);
  }
  double largest = 0.0;
  for (index_t a = 0; a < n_; ++a) largest = std::max(largest, factor_[a * n_ + a] += 1.0);
  for (index_t a = 0; a < n_; ++a) factor_[a * n_ + a] += kJitter * largest;
  blas().dpotrf(&kUpper, &n, factor_.data(), &n, &info);
  if (info != 0) factor_.clear();
  debt_ = 0.0;
}

// q_ = M^-1 right, so far that what the step misses is a small share of its promise, `most` - right'q.
bool RowNewton::iterate(const std::vector<double>& right, double most) {
  std::vector<double> r = right;
  return conjugate_gradients(
      q_, r, kProducts,
      [&](const std::vector<double>& from, std::vector<double>& z) {
        z = from;
        solve_upper(factor_.data(), n_, z.data());
        project(z);  // M is the identity on what Q takes away, and nothing of the right side is there
      },
      [&](const std::vector<double>& along, std::vector<double>& image) {
        product(along, image);
        debt_ += product_price();
      },
      [&](const std::vector<double>& rest, double, double) {
        const double promise = most - simd::dot(right.data(), q_.data(), n_);
        return !(simd::dot(rest.data(), rest.data(), n_) > kSolved * promise);
      });
}

bool RowNewton::solve(const std::vector<index_t>& features, const std::vector<Curve>& curves,
                      const std::vector<double>& direction, const std::vector<double>& gradient,
                      std::vector<double>& step) {
  curves_ = &curves;
  direction_ = direction.data();
  cells_ = static_cast<index_t>(features.size());
  held_.resize(cells_);
  take_columns(features);
  if (!take_flat()) return false;
  // 1. Along Y alone: rows move by h = V U^-T rho with rho = d'gradient.
  std::vector<double> rho, image(n_, 0.0), right(n_, 0.0);
  for (const Curve& curve : curves)
    if (is_flat(curve))
      rho.push_back(simd::dot(direction_ + curve.first, gradient.data() + curve.first, curve.count()));
  std::vector<double> inner = rho;  // U^-T rho
  solve_transposed(upper_.data(), flat_, inner.data());
  for (index_t a = 0; a < flat_; ++a) simd::axpy(inner[a], basis_.data() + a * n_, image.data(), n_);
  // 2. M q = Q A S^-1 (gradient - A'h)
  std::vector<double> pull(cells_);
  const auto rest = [&](const Curve& curve) {  // pull = gradient - A'image of a curve's cells, held_ = S^-1 pull
    dots(curve, image.data(), pull.data());
    for (index_t i = 0; i < curve.count(); ++i) held_[i] = pull[i] = gradient[curve.first + i] - pull[i];
    bend(curve, held_.data());
  };
  double most = 0.0;
  for (const Curve& curve : curves) {
    rest(curve);
    most += simd::dot(pull.data(), held_.data(), curve.count());
    add(curve, held_.data(), right.data());
  }
  project(right);
  most += simd::dot(inner.data(), inner.data(), flat_);
  const bool old = !factor_.empty() && debt_ < factor_price();
  if (!old) factor();
  if (factor_.empty()) return false;
  bool solved = iterate(right, most);
  if (!solved && old) {
    factor();
    solved = !factor_.empty() && iterate(right, most);
  }
  if (!solved) return false;
  // 3. Back to the coefficients: S^-1 (gradient - A'(h + q)), and along Y what brings A step to h + Q A step.
  for (index_t i = 0; i < n_; ++i) image[i] += q_[i];
  step.assign(cells_, 0.0);
  image_.assign(n_, 0.0);
  for (const Curve& curve : curves) {
    rest(curve);
    std::copy_n(held_.data(), curve.count(), step.data() + curve.first);
    add(curve, held_.data(), image_.data());
  }
  std::vector<double> back = inner;  // V'h
  for (index_t a = 0; a < flat_; ++a) back[a] -= simd::dot(basis_.data() + a * n_, image_.data(), n_);
  for (index_t a = 0; a < flat_; ++a) simd::axpy(back[a], basis_.data() + a * n_, image_.data(), n_);
  solve_plain(upper_.data(), flat_, back.data());
  index_t a = 0;
  for (const Curve& curve : curves)
    if (is_flat(curve))
      simd::axpy(back[a++], direction_ + curve.first, step.data() + curve.first, curve.count());
  return true;
}

void RowNewton::slopes(const index_t* list, index_t count, double* out) {
  std::vector<double> v(n_);
  for (index_t i = 0; i < n_; ++i) v[i] = root_[i] * image_[i];
  x_.dots(list, count, v.data(), out);
}

}  // namespace bridle
