#include "block_model.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr index_t kPanelRows = 256;

// Column of the pair k <= l among those of all pairs.
index_t pair_of(index_t k, index_t l) { return k <= l ? l * (l + 1) / 2 + k : k * (k + 1) / 2 + l; }

}  // namespace

void eigen(const double* matrix, index_t size, std::vector<double>& vectors, std::vector<double>& values) {
  vectors.assign(matrix, matrix + size * size);
  values.resize(size);
  char job = 'V', uplo = 'U';
  int n = static_cast<int>(size), lwork = 34 * n, info = 0;
  std::vector<double> work(lwork);
  blas().dsyev(&job, &uplo, &n, vectors.data(), &n, values.data(), work.data(), &lwork, &info);
}

void solve_eigen(const std::vector<double>& vectors, const std::vector<double>& values, const double* v, double* out) {
  const index_t size = static_cast<index_t>(values.size());
  std::fill_n(out, size, 0.0);
  for (index_t e = 0; e < size; ++e)
    if (values[e] > 1e-12 * values[size - 1]) {
      const double* column = vectors.data() + e * size;
      simd::axpy(simd::dot(column, v, size) / values[e], column, out, size);
    }
}

void BlockModel::reset(const double* curvatures, index_t n, std::shared_ptr<const Curvature> coupling) {
  if (!coupled_) {
    if (matrix_free_)
      columns_.reset(curvatures, n);
    else
      gram_.reset(curvatures, n, std::move(coupling));
    ++version_;  // where gram_ has none
    return;
  }
  curvatures_.assign(curvatures, curvatures + n * pairs());
  rows_ = n;
  features_ = 0;
  from_.clear();
  group_.clear();
  crossed_.clear();
  ++version_;
  std::vector<double> total(predictors_ * predictors_);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t l = 0; l < predictors_; ++l)
      total[k * predictors_ + l] = simd::sum(curvatures_.data() + pair_of(k, l) * n, n);
  eigen(total.data(), predictors_, vectors_, values_);
}

void BlockModel::settle(const std::vector<index_t>& sizes) {
  from_.clear();
  group_.clear();
  for (index_t size : sizes) {
    const index_t from = static_cast<index_t>(from_.size());
    from_.insert(from_.end(), size, from);
    group_.insert(group_.end(), size, size);
  }
}

void BlockModel::extend(const Columns& x, const std::vector<index_t>& list, const std::vector<index_t>& sizes) {
  const index_t count = static_cast<index_t>(list.size());
  if (!coupled_) {
    if (matrix_free_)
      columns_.extend(x, list.data(), count);
    else
      gram_.extend(x, list.data(), count);
    return;
  }
  if (count <= features_) return;
  settle(sizes);
  const index_t from = features_, first = from * predictors_, cells = count * predictors_;
  if (cells > ld_) {
    const index_t ld = std::max(cells, ld_ + ld_ / 2);
    std::vector<double> grown(ld * ld);
    for (index_t k = 0; k < first; ++k) std::copy_n(data_.data() + k * ld_, first, grown.data() + k * ld);
    data_.swap(grown);
    ld_ = ld;
  }
  if (x.design.sparse())
    by_columns(x, list.data(), from, count);
  else
    by_panels(x, list.data(), from, count);
  features_ = count;
  crossed_.resize(cells * predictors_, 0.0);
  if (!x.centred) return;
  std::vector<double> out(count - from), taken(predictors_);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t l = 0; l < predictors_; ++l) {
      x.dots(list.data() + from, count - from, curvatures_.data() + pair_of(k, l) * rows_, out.data());
      for (index_t j = from; j < count; ++j) crossed_[cell(j, k) * predictors_ + l] = out[j - from];
    }
  // What the intercepts take up of the curvature: a Schur complement, small since the columns are nearly centred.
  for (index_t b = first; b < cells; ++b) {
    solve_eigen(vectors_, values_, crossed_.data() + b * predictors_, taken.data());
    for (index_t a = 0; a <= b; ++a) {
      const double value = data_[b * ld_ + a] - simd::dot(crossed_.data() + a * predictors_, taken.data(), predictors_);
      data_[b * ld_ + a] = data_[a * ld_ + b] = value;
    }
  }
}

// x~_i'W_kl x~_j at its four places.
void BlockModel::put(index_t i, index_t j, index_t k, index_t l, double value) {
  const index_t a = cell(i, k), b = cell(j, l), c = cell(i, l), d = cell(j, k);
  data_[b * ld_ + a] = data_[a * ld_ + b] = value;
  data_[d * ld_ + c] = data_[c * ld_ + d] = value;
}

void BlockModel::by_columns(const Columns& x, const index_t* list, index_t from, index_t count) {
  std::vector<double> column(rows_), z(rows_), out(count);
  for (index_t j = from; j < count; ++j) {
    const double one = 1.0;
    std::fill(column.begin(), column.end(), -x.centre[list[j]]);
    x.design.add(list + j, 1, &one, column.data());
    for (index_t l = 0; l < predictors_; ++l)
      for (index_t k = 0; k <= l; ++k) {
        const double* w = curvatures_.data() + pair_of(k, l) * rows_;
        for (index_t i = 0; i < rows_; ++i) z[i] = w[i] * column[i] / x.scale[list[j]];
        x.dots(list, j + 1, z.data(), out.data());
        for (index_t i = 0; i <= j; ++i) put(i, j, k, l, out[i]);
      }
  }
}

void BlockModel::by_panels(const Columns& x, const index_t* list, index_t from, index_t count) {
  const index_t fresh = count - from;
  std::vector<double> panel(kPanelRows * count), weighted(kPanelRows * fresh), ones(kPanelRows, 1.0);
  std::vector<double> shift(count), inverse(count), products(pairs() * count * fresh, 0.0);
  for (index_t k = 0; k < count; ++k) {
    shift[k] = x.centre[list[k]];
    inverse[k] = 1.0 / x.scale[list[k]];
  }
  double one = 1.0;
  char trans = 'T', plain = 'N';
  for (index_t row = 0; row < rows_; row += kPanelRows) {
    const index_t rows = std::min(kPanelRows, rows_ - row);
    x.design.panel(row, rows, list, count, ones.data(), shift.data(), inverse.data(), panel.data());
    int size = static_cast<int>(rows), all = static_cast<int>(count), added = static_cast<int>(fresh);
    for (index_t pair = 0; pair < pairs(); ++pair) {
      const double* w = curvatures_.data() + pair * rows_ + row;
      for (index_t j = 0; j < fresh; ++j)
        for (index_t i = 0; i < rows; ++i) weighted[j * rows + i] = w[i] * panel[(from + j) * rows + i];
      blas().dgemm(&trans, &plain, &all, &added, &size, &one, panel.data(), &size, weighted.data(), &size, &one,
                   products.data() + pair * count * fresh, &all);
    }
  }
  for (index_t l = 0; l < predictors_; ++l)
    for (index_t k = 0; k <= l; ++k)
      for (index_t j = 0; j < fresh; ++j)
        for (index_t i = 0; i <= from + j; ++i)
          put(i, from + j, k, l, products[(pair_of(k, l) * fresh + j) * count + i]);
}

void BlockModel::keep(const std::vector<index_t>& places, const std::vector<index_t>& sizes) {
  if (!coupled_) {
    if (matrix_free_)
      columns_.keep(places);
    else
      gram_.keep(places);
    return;
  }
  std::vector<index_t> cells;  // of whole groups, so that they ascend
  for (size_t i = 0; i < places.size();) {
    const index_t from = from_[places[i]], size = group_[places[i]];
    for (index_t c = from * predictors_; c < (from + size) * predictors_; ++c) cells.push_back(c);
    i += size;
  }
  for (size_t b = 0; b < cells.size(); ++b) {
    for (size_t a = 0; a < cells.size(); ++a) data_[b * ld_ + a] = data_[cells[b] * ld_ + cells[a]];
    std::copy_n(crossed_.data() + cells[b] * predictors_, predictors_, crossed_.data() + b * predictors_);
  }
  crossed_.resize(cells.size() * predictors_);
  features_ = static_cast<index_t>(places.size());
  settle(sizes);
  ++version_;
}

ModelMatrix BlockModel::matrix() {
  if (matrix_free_) return {nullptr, columns_.size(), 0, version_, &columns_};
  if (!coupled_) return {gram_.column(0), gram_.size(), gram_.leading(), gram_.version()};
  return {data_.data(), features_ * predictors_, ld_, version_};
}

Block BlockModel::place(const Block& block) const {
  if (!coupled_) return block;
  Block out = block;
  out.from = cell(block.from, block.first);
  out.size = block.cells();
  out.first = 0;
  out.last = 1;
  return out;
}

void BlockModel::reorder(std::vector<double>& values, bool back) const {
  if (!coupled_) return;
  const std::vector<double> old = values;
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < features_; ++i) {
      const index_t plain = k * features_ + i, there = cell(i, k);
      values[back ? plain : there] = old[back ? there : plain];
    }
}

double BlockModel::curvature(index_t feature, index_t predictor) const {
  if (matrix_free_) return columns_.square(feature);
  if (!coupled_) return gram_.at(feature, feature);
  const index_t c = cell(feature, predictor);
  return data_[c * ld_ + c];
}

void BlockModel::intercepts(const Columns& x, const std::vector<index_t>& list, const double* move, double* out) const {
  const index_t m = features();
  std::fill_n(out, predictors_, 0.0);
  if (!coupled_) {
    for (index_t k = 0; k < predictors_; ++k)
      for (index_t i = 0; i < m; ++i)
        out[k] -= move[k * m + i] / x.scale[list[i]] * (matrix_free_ ? columns_.shift(i) : gram_.shift(i));
    return;
  }
  if (!x.centred) return;
  std::vector<double> pull(predictors_, 0.0);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < m; ++i)
      simd::axpy(-move[k * m + i], crossed_.data() + cell(i, k) * predictors_, pull.data(), predictors_);
  solve_eigen(vectors_, values_, pull.data(), out);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < m; ++i) out[k] -= move[k * m + i] / x.scale[list[i]] * x.centre[list[i]];
}

}  // namespace bridle
