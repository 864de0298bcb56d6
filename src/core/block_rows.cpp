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

char kUpper = 'U', kTrans = 'T', kPlain = 'N', kLeft = 'L';
double kOne = 1.0, kZero = 0.0;

bool is_flat(const Curve& curve) { return !(curve.along > kFlat * curve.across) || curve.along == 0.0; }

bool has_image(const Curve& curve) { return curve.count() > 1 || is_flat(curve); }

// The Cholesky factor, upper, in its place, of a matrix whose upper triangle is given; dependent columns get a pivot.
bool factorise(std::vector<double>& matrix, index_t size) {
  double largest = 0.0;
  for (index_t a = 0; a < size; ++a) largest = std::max(largest, matrix[a * size + a]);
  for (index_t a = 0; a < size; ++a) matrix[a * size + a] += kJitter * largest;
  int order = static_cast<int>(size), info = 0;
  if (size > 0) blas().dpotrf(&kUpper, &order, matrix.data(), &order, &info);
  return info == 0;
}

// Upper triangle of out (count, count) = V'V, V (rows, count)
void squares(std::vector<double>& v, index_t rows, index_t count, std::vector<double>& out) {
  out.assign(count * count, 0.0);
  int k = static_cast<int>(rows), size = static_cast<int>(count);
  if (count > 0) blas().dsyrk(&kUpper, &kTrans, &size, &k, &kOne, v.data(), &k, &kZero, out.data(), &size);
}

// v += share Y (U'U)^-1 Y'from, Y the first columns
void add_span(const std::vector<const double*>& columns, index_t count, const std::vector<double>& upper, double share,
              const std::vector<double>& from, std::vector<double>& v) {
  const index_t rows = static_cast<index_t>(v.size());
  std::vector<double> along(count);
  column_dots(columns.data(), count, from.data(), rows, along.data());
  solve_upper(upper.data(), count, along.data());
  for (double& a : along) a *= share;
  column_add(columns.data(), count, along.data(), v.data(), rows);
}

}  // namespace

template <class Use>
void RowCells::runs(index_t first, index_t last, Use&& use) const {
  while (first < last) {
    index_t next = first + 1;
    while (next < last && owner[next] == owner[first]) ++next;
    use(first, next - first, owner[first] * rows);
    first = next;
  }
}

void RowCells::dots(index_t first, index_t last, const double* v, double* out) const {
  runs(first, last, [&](index_t from, index_t size, index_t row) {
    column_dots(columns.data() + from, size, v + row, rows, out + from - first);
  });
}

void RowCells::add(index_t first, index_t last, const double* coef, double* v) const {
  runs(first, last, [&](index_t from, index_t size, index_t row) {
    column_add(columns.data() + from, size, coef + from - first, v + row, rows);
  });
}

bool RowNewton::suits(const RowCells& cells, const std::vector<Curve>& curves) const {
  const double n = static_cast<double>(cells.rows), k = static_cast<double>(cells.predictors),
               c = static_cast<double>(cells.count());
  index_t flat = 0, images = 0;
  for (const Curve& curve : curves) {
    if (curve.along < 0.0 || (curve.count() > 1 && !(curve.across > 0.0))) return false;
    flat += is_flat(curve);
    images += has_image(curve);
  }
  const double f = static_cast<double>(flat), q = static_cast<double>(images);
  const double price = n * n * (c / k + k * n / 3.0 + q * k) + (q * q + f * f) * n * k + q * q * q / 3.0;
  return cells.count() >= kLeast && f < 0.8 * n * k && price < kShare * c * c * (n + c / 3.0);
}

double RowNewton::factor_price() const {
  const double n = static_cast<double>(n_), k = static_cast<double>(predictors_), q = static_cast<double>(now_.count);
  const double rows = n * n * (static_cast<double>(cells_->count()) / k + n / 3.0) * static_cast<double>(factors_.size());
  return rows + q * k * n * (n + q) + q * q * q / 3.0;
}

void RowNewton::bend(const Curve& curve, double* values) const {
  const index_t count = curve.count();
  const double* d = direction_ + curve.first;
  const double along = simd::dot(d, values, count), own = is_flat(curve) ? 0.0 : along / curve.along;
  for (index_t i = 0; i < count; ++i)
    values[i] = (count > 1 ? (values[i] - along * d[i]) / curve.across : 0.0) + own * d[i];
}

void RowNewton::Images::lay(index_t rows) {
  columns.clear();
  for (index_t a = 0; a < count; ++a) columns.push_back(values.data() + a * rows);
}

// Y, and the factor of its flat part's Gram matrix
bool RowNewton::take_images() {
  now_.flat = now_.count = 0;
  for (const Curve& curve : *curves_) {
    now_.flat += is_flat(curve);
    now_.count += has_image(curve);
  }
  now_.values.assign(rows_ * now_.count, 0.0);
  now_.lay(rows_);
  bends_.assign(now_.count, 0.0);
  index_t flat = 0, other = now_.flat;
  for (const Curve& curve : *curves_) {
    if (!has_image(curve)) continue;
    const index_t at = is_flat(curve) ? flat++ : other++;
    add(curve, direction_ + curve.first, now_.values.data() + at * rows_);
    if (!is_flat(curve)) bends_[at] = curve.along * curve.across / (curve.across - curve.along);
  }
  squares(now_.values, rows_, now_.flat, now_.upper);
  return factorise(now_.upper, now_.flat);
}

// v = Q v
void RowNewton::project(std::vector<double>& v) const {
  add_span(now_.columns, now_.flat, now_.upper, -1.0, v, v);
}

// out = M v, for v = Q v
void RowNewton::product(const std::vector<double>& v, std::vector<double>& out) {
  out.assign(rows_, 0.0);
  for (const Curve& curve : *curves_) {
    dots(curve, v.data(), held_.data());
    bend(curve, held_.data());
    add(curve, held_.data(), out.data());
  }
  project(out);
  for (index_t i = 0; i < rows_; ++i) out[i] += v[i];
}

// N of each predictor, or one for all that have the same cells and curvature
bool RowNewton::factor_rows() {
  std::vector<std::vector<index_t>> members(predictors_);
  std::vector<double> root(cells_->count());
  for (const Curve& curve : *curves_)
    for (index_t a = curve.first; a < curve.last && (curve.count() > 1 || !is_flat(curve)); ++a) {
      members[cells_->owner[a]].push_back(a);
      root[a] = 1.0 / std::sqrt(curve.diagonal());
    }
  factors_.clear();
  which_.assign(predictors_, 0);
  const auto alike = [&](index_t a, index_t b) {
    return cells_->columns[a] == cells_->columns[b] && root[a] == root[b];
  };
  int n = static_cast<int>(n_);
  for (index_t k = 0; k < predictors_; ++k) {
    const std::vector<index_t>& own = members[k];
    if (k > 0 && std::equal(own.begin(), own.end(), members[k - 1].begin(), members[k - 1].end(), alike)) {
      which_[k] = which_[k - 1];
      continue;
    }
    std::vector<double> scaled(n_ * own.size(), 0.0), matrix(n_ * n_, 0.0);
    for (size_t c = 0; c < own.size(); ++c)
      simd::axpy(root[own[c]], cells_->columns[own[c]], scaled.data() + static_cast<index_t>(c) * n_, n_);
    int count = static_cast<int>(own.size());
    if (count > 0) blas().dsyrk(&kUpper, &kPlain, &n, &count, &kOne, scaled.data(), &n, &kZero, matrix.data(), &n);
    for (index_t a = 0; a < n_; ++a) matrix[a * n_ + a] += 1.0;
    if (!factorise(matrix, n_)) return false;
    which_[k] = static_cast<index_t>(factors_.size());
    factors_.push_back(std::move(matrix));
  }
  return true;
}

// All that M^-1 takes
bool RowNewton::factor() {
  debt_ = 0.0;
  if (!factor_rows()) {
    factors_.clear();
    return false;
  }
  then_ = solved_ = now_;
  then_.lay(rows_);
  solved_.lay(rows_);
  int n = static_cast<int>(n_), far = static_cast<int>(rows_), count = static_cast<int>(now_.count);
  for (index_t k = 0; k < predictors_ && count > 0; ++k)
    blas().dtrsm(&kLeft, &kUpper, &kTrans, &kPlain, &n, &count, &kOne, factors_[which_[k]].data(), &n,
                 solved_.values.data() + k * n_, &far);
  squares(solved_.values, rows_, now_.count, solved_.upper);
  for (index_t a = 0; a < now_.count; ++a) solved_.upper[a * now_.count + a] += bends_[a];
  return factorise(solved_.upper, now_.count);
}

// v = M^-1 from, of the older M, as far as today's Q leaves it
void RowNewton::precondition(const std::vector<double>& from, std::vector<double>& v) const {
  v = from;
  for (index_t k = 0; k < predictors_; ++k) solve_transposed(factors_[which_[k]].data(), n_, v.data() + k * n_);
  add_span(solved_.columns, solved_.count, solved_.upper, -1.0, v, v);
  for (index_t k = 0; k < predictors_; ++k) solve_plain(factors_[which_[k]].data(), n_, v.data() + k * n_);
  add_span(then_.columns, then_.flat, then_.upper, 1.0, from, v);
  project(v);  // M is the identity on what Q takes away, and nothing of the right side is there
}

// q_ = M^-1 right, so far that what the step misses is a small share of its promise, `most` - right'q.
bool RowNewton::iterate(const std::vector<double>& right, double most) {
  std::vector<double> r = right;
  return conjugate_gradients(
      q_, r, kProducts,
      [&](const std::vector<double>& from, std::vector<double>& z) { precondition(from, z); },
      [&](const std::vector<double>& along, std::vector<double>& image) {
        product(along, image);
        debt_ += product_price();
      },
      [&](const std::vector<double>& rest, double, double) {
        const double promise = most - simd::dot(right.data(), q_.data(), rows_);
        return !(simd::dot(rest.data(), rest.data(), rows_) > kSolved * promise);
      });
}

bool RowNewton::solve(const RowCells& cells, const std::vector<Curve>& curves, const std::vector<double>& direction,
                      const std::vector<double>& gradient, std::vector<double>& step, std::vector<double>& image) {
  const bool known = n_ == cells.rows && predictors_ == cells.predictors;
  cells_ = &cells;
  curves_ = &curves;
  direction_ = direction.data();
  n_ = cells.rows;
  predictors_ = cells.predictors;
  rows_ = n_ * predictors_;
  held_.resize(cells.count());
  if (!known) factors_.clear();
  if (!take_images()) return false;
  // 1. Along Y alone: rows move by h = Y (Y'Y)^-1 rho with rho = d'gradient.
  std::vector<double> rho, moved(rows_, 0.0), right(rows_, 0.0);
  for (const Curve& curve : curves)
    if (is_flat(curve))
      rho.push_back(simd::dot(direction_ + curve.first, gradient.data() + curve.first, curve.count()));
  std::vector<double> inner = rho;
  solve_upper(now_.upper.data(), now_.flat, inner.data());
  column_add(now_.columns.data(), now_.flat, inner.data(), moved.data(), rows_);
  // 2. M q = Q A S^-1 (gradient - A'h)
  std::vector<double> pull(cells.count());
  const auto rest = [&](const Curve& curve) {  // pull = gradient - A'moved of a curve's cells, held_ = S^-1 pull
    dots(curve, moved.data(), pull.data());
    for (index_t i = 0; i < curve.count(); ++i) held_[i] = pull[i] = gradient[curve.first + i] - pull[i];
    bend(curve, held_.data());
  };
  double most = simd::dot(rho.data(), inner.data(), now_.flat);
  for (const Curve& curve : curves) {
    rest(curve);
    most += simd::dot(pull.data(), held_.data(), curve.count());
    add(curve, held_.data(), right.data());
  }
  project(right);
  const bool old = !factors_.empty() && debt_ < factor_price();
  if (!old && !factor()) return false;
  if (!iterate(right, most) && !(old && factor() && iterate(right, most))) return false;
  // 3. Back to the coefficients: S^-1 (gradient - A'(h + q)), and along Y what brings A step to h + Q A step.
  for (index_t i = 0; i < rows_; ++i) moved[i] += q_[i];
  step.resize(cells.count());
  image.assign(rows_, 0.0);
  for (const Curve& curve : curves) {
    rest(curve);
    std::copy_n(held_.data(), curve.count(), step.data() + curve.first);
    add(curve, held_.data(), image.data());
  }
  std::vector<double> back(now_.flat);
  column_dots(now_.columns.data(), now_.flat, image.data(), rows_, back.data());
  for (index_t a = 0; a < now_.flat; ++a) back[a] = rho[a] - back[a];
  solve_upper(now_.upper.data(), now_.flat, back.data());
  column_add(now_.columns.data(), now_.flat, back.data(), image.data(), rows_);
  index_t a = 0;
  for (const Curve& curve : curves)
    if (is_flat(curve)) simd::axpy(back[a++], direction_ + curve.first, step.data() + curve.first, curve.count());
  return true;
}

}  // namespace bridle
