#include "block_rows.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "block_columns.hpp"
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

bool RowNewton::suits(index_t rows, index_t cells, const std::vector<Curve>& curves) const {
  const double n = static_cast<double>(rows), c = static_cast<double>(cells);
  index_t flat = 0;
  for (const Curve& curve : curves) {
    if (curve.along < 0.0 || (curve.count() > 1 && !(curve.across > 0.0))) return false;
    flat += is_flat(curve);
  }
  const double f = static_cast<double>(flat);
  return cells >= kLeast && f < 0.8 * n && n * n * (c + 6.0 * f + n / 3.0) < kShare * c * c * (n + c / 3.0);
}

double RowNewton::factor_price() const {
  const double n = static_cast<double>(n_);
  return n * n * (static_cast<double>(cells_) + 6.0 * static_cast<double>(flat_) + n / 3.0);
}

void RowNewton::dots(const Curve& curve, const double* v, double* out) const {
  column_dots(columns_ + curve.first, curve.count(), v, n_, out);
}

void RowNewton::add(const Curve& curve, const double* coef, double* v) const {
  column_add(columns_ + curve.first, curve.count(), coef, v, n_);
}

void RowNewton::bend(const Curve& curve, double* values) const {
  const index_t count = curve.count();
  const double* d = direction_ + curve.first;
  const double along = simd::dot(d, values, count), own = is_flat(curve) ? 0.0 : along / curve.along;
  for (index_t i = 0; i < count; ++i)
    values[i] = (count > 1 ? (values[i] - along * d[i]) / curve.across : 0.0) + own * d[i];
}

// Y and its Gram matrix's factor
bool RowNewton::take_flat() {
  flat_ = 0;
  for (const Curve& curve : *curves_) flat_ += is_flat(curve);
  flats_.assign(n_ * flat_, 0.0);
  flat_columns_.clear();
  for (index_t a = 0; a < flat_; ++a) flat_columns_.push_back(flats_.data() + a * n_);
  upper_.resize(flat_ * flat_);
  if (flat_ == 0) return true;
  double* to = flats_.data();
  for (const Curve& curve : *curves_)
    if (is_flat(curve)) {
      add(curve, direction_ + curve.first, to);
      to += n_;
    }
  int rows = static_cast<int>(n_), size = static_cast<int>(flat_), info = 0;
  blas().dsyrk(&kUpper, &kTrans, &size, &rows, &kOne, flats_.data(), &rows, &kZero, upper_.data(), &size);
  double largest = 0.0;
  for (index_t a = 0; a < flat_; ++a) largest = std::max(largest, upper_[a * flat_ + a]);
  for (index_t a = 0; a < flat_; ++a) upper_[a * flat_ + a] += kJitter * largest;
  blas().dpotrf(&kUpper, &size, upper_.data(), &size, &info);
  return info == 0;
}

// v = Q v
void RowNewton::project(std::vector<double>& v) const {
  along_.resize(flat_);
  column_dots(flat_columns_.data(), flat_, v.data(), n_, along_.data());
  solve_upper(upper_.data(), flat_, along_.data());
  for (double& a : along_) a = -a;
  column_add(flat_columns_.data(), flat_, along_.data(), v.data(), n_);
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

// K = A S^-1 A', V = Y U^-1, then M = I + Q K Q = I + K - B V' - V B' with B = K V - V (V'K V) / 2
void RowNewton::factor() {
  std::vector<double> scaled(n_ * cells_, 0.0), along(n_);
  index_t at = 0;
  for (const Curve& curve : *curves_) {
    const index_t count = curve.count();
    const double* d = direction_ + curve.first;
    std::fill(along.begin(), along.end(), 0.0);  // A d
    if (!is_flat(curve)) add(curve, d, along.data());
    const double across = count > 1 ? 1.0 / std::sqrt(curve.across) : 0.0,
                 more = is_flat(curve) ? 0.0 : 1.0 / std::sqrt(curve.along) - across;  // Q takes flat ones away
    for (index_t c = 0; c < count; ++c, ++at) {
      simd::axpy(across, columns_[at], scaled.data() + at * n_, n_);
      if (more != 0.0) simd::axpy(more * d[c], along.data(), scaled.data() + at * n_, n_);
    }
  }
  factor_.assign(n_ * n_, 0.0);
  int n = static_cast<int>(n_), c = static_cast<int>(cells_), f = static_cast<int>(flat_), info = 0;
  blas().dsyrk(&kUpper, &kPlain, &n, &c, &kOne, scaled.data(), &n, &kZero, factor_.data(), &n);
  if (flat_ > 0) {
    for (index_t b = 0; b < n_; ++b)
      for (index_t a = 0; a < b; ++a) factor_[a * n_ + b] = factor_[b * n_ + a];
    std::vector<double> basis = flats_, product(n_ * flat_), inner(flat_ * flat_);
    double half = -0.5;
    blas().dtrsm(&kRight, &kUpper, &kPlain, &kPlain, &n, &f, &kOne, upper_.data(), &f, basis.data(), &n);
    blas().dgemm(&kPlain, &kPlain, &n, &f, &n, &kOne, factor_.data(), &n, basis.data(), &n, &kZero, product.data(), &n);
    blas().dgemm(&kTrans, &kPlain, &f, &f, &n, &kOne, basis.data(), &n, product.data(), &n, &kZero, inner.data(), &f);
    blas().dgemm(&kPlain, &kPlain, &n, &f, &f, &half, basis.data(), &n, inner.data(), &f, &kOne, product.data(), &n);
    blas().dgemm(&kPlain, &kTrans, &n, &n, &f, &kMinus, product.data(), &n, basis.data(), &n, &kOne, factor_.data(), &n);
    blas().dgemm(&kPlain, &kTrans, &n, &n, &f, &kMinus, basis.data(), &n, product.data(), &n, &kOne, factor_.data(), &n);
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

bool RowNewton::solve(index_t n, const std::vector<const double*>& columns, const std::vector<Curve>& curves,
                      const std::vector<double>& direction, const std::vector<double>& gradient,
                      std::vector<double>& step, std::vector<double>& image) {
  n_ = n;
  columns_ = columns.data();
  curves_ = &curves;
  direction_ = direction.data();
  cells_ = static_cast<index_t>(columns.size());
  held_.resize(cells_);
  if (static_cast<index_t>(factor_.size()) != n_ * n_) factor_.clear();
  if (!take_flat()) return false;
  // 1. Along Y alone: rows move by h = Y (Y'Y)^-1 rho with rho = d'gradient.
  std::vector<double> rho, moved(n_, 0.0), right(n_, 0.0);
  for (const Curve& curve : curves)
    if (is_flat(curve))
      rho.push_back(simd::dot(direction_ + curve.first, gradient.data() + curve.first, curve.count()));
  std::vector<double> inner = rho;
  solve_upper(upper_.data(), flat_, inner.data());
  column_add(flat_columns_.data(), flat_, inner.data(), moved.data(), n_);
  // 2. M q = Q A S^-1 (gradient - A'h)
  std::vector<double> pull(cells_);
  const auto rest = [&](const Curve& curve) {  // pull = gradient - A'moved of a curve's cells, held_ = S^-1 pull
    dots(curve, moved.data(), pull.data());
    for (index_t i = 0; i < curve.count(); ++i) held_[i] = pull[i] = gradient[curve.first + i] - pull[i];
    bend(curve, held_.data());
  };
  double most = simd::dot(rho.data(), inner.data(), flat_);
  for (const Curve& curve : curves) {
    rest(curve);
    most += simd::dot(pull.data(), held_.data(), curve.count());
    add(curve, held_.data(), right.data());
  }
  project(right);
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
  for (index_t i = 0; i < n_; ++i) moved[i] += q_[i];
  step.resize(cells_);
  image.assign(n_, 0.0);
  for (const Curve& curve : curves) {
    rest(curve);
    std::copy_n(held_.data(), curve.count(), step.data() + curve.first);
    add(curve, held_.data(), image.data());
  }
  std::vector<double> back(flat_);
  column_dots(flat_columns_.data(), flat_, image.data(), n_, back.data());
  for (index_t a = 0; a < flat_; ++a) back[a] = rho[a] - back[a];
  solve_upper(upper_.data(), flat_, back.data());
  column_add(flat_columns_.data(), flat_, back.data(), image.data(), n_);
  index_t a = 0;
  for (const Curve& curve : curves)
    if (is_flat(curve)) simd::axpy(back[a++], direction_ + curve.first, step.data() + curve.first, curve.count());
  return true;
}

}  // namespace bridle
