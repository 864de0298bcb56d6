#include "design.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace bridle {
namespace {

inline index_t at(const index_t* list, index_t k) { return list ? list[k] : k; }

// Column j is contiguous, `stride` entries after column j - 1 (Fortran order).
template <class T>
class DenseByColumns final : public Design {
 public:
  DenseByColumns(const T* data, index_t rows, index_t columns, index_t stride)
      : Design(rows, columns), data_(data), stride_(stride), view_{data, std::is_same_v<T, float>, 1, stride} {}

  double bytes() const override { return sizeof(T); }
  const DenseView* dense() const override { return &view_; }
  // Blocks of rows, so that v stays in the first-level cache; four columns at a time.
  void dots(const index_t* list, index_t count, const double* v, double* out) const override {
    std::fill(out, out + count, 0.0);
    for (index_t from = 0; from < rows(); from += kBlock) {
      const index_t size = std::min(kBlock, rows() - from);
      index_t k = 0;
      for (; k + 4 <= count; k += 4) {
        const T* four[4] = {column(at(list, k)) + from, column(at(list, k + 1)) + from, column(at(list, k + 2)) + from,
                            column(at(list, k + 3)) + from};
        simd::dot4(four, v + from, size, out + k);
      }
      for (; k < count; ++k) out[k] += simd::dot(column(at(list, k)) + from, v + from, size);
    }
  }
  void column_dots(index_t j, const double* const* vectors, index_t count, double* out) const override {
    index_t m = 0;
    for (; m + 4 <= count; m += 4) simd::dot4(column(j), vectors + m, out + m, rows());
    if (count - m > 1) {  // the last ones with company: four cost little more than one
      const double* few[4] = {vectors[m], vectors[m + 1], vectors[count - 1], vectors[count - 1]};
      double sums[4];
      simd::dot4(column(j), few, sums, rows());
      std::copy_n(sums, count - m, out + m);
      return;
    }
    if (m < count) out[m] = simd::dot(column(j), vectors[m], rows());
  }
  void add(const index_t* list, index_t count, const double* coef, double* v) const override {
    std::vector<index_t> used;  // places in the list
    for (index_t k = 0; k < count; ++k)
      if (coef[k] != 0.0) used.push_back(k);
    const index_t m = static_cast<index_t>(used.size());
    for (index_t from = 0; from < rows(); from += kBlock) {
      const index_t size = std::min(kBlock, rows() - from);
      index_t k = 0;
      for (; k + 4 <= m; k += 4) {
        const T* four[4];
        double a[4];
        for (index_t i = 0; i < 4; ++i) {
          four[i] = column(at(list, used[k + i])) + from;
          a[i] = coef[used[k + i]];
        }
        simd::axpy4(a, four, v + from, size);
      }
      for (; k < m; ++k) simd::axpy(coef[used[k]], column(at(list, used[k])) + from, v + from, size);
    }
  }
  void add_weighted(index_t j, double a, const double* w, double* v) const override {
    simd::weighted_axpy(a, w, column(j), v, rows());
  }
  double square(index_t j, const double* w, double, double shift) const override {
    return simd::weighted_square(w, column(j), shift, rows());
  }
  void panel(index_t from, index_t size, const index_t* list, index_t count, const double* root, const double* shift,
             const double* scale, double* out) const override {
    for (index_t k = 0; k < count; ++k)
      simd::shift_scale(root, column(at(list, k)) + from, shift[k], scale[k], out + k * size, size);
  }

 private:
  static constexpr index_t kBlock = 4096;
  const T* column(index_t j) const { return data_ + j * stride_; }
  const T* data_;
  index_t stride_;
  DenseView view_;
};

// Row i is contiguous, `stride` entries after row i - 1 (C order): every pass runs over rows.
template <class T>
class DenseByRows final : public Design {
 public:
  DenseByRows(const T* data, index_t rows, index_t columns, index_t stride)
      : Design(rows, columns), data_(data), stride_(stride), view_{data, std::is_same_v<T, float>, stride, 1} {}

  double bytes() const override { return sizeof(T); }
  const DenseView* dense() const override { return &view_; }
  void dots(const index_t* list, index_t count, const double* v, double* out) const override {
    if (list != nullptr && reads_all(count)) {  // whole rows stream faster than gathers
      std::vector<double> all(columns());
      dots(nullptr, columns(), v, all.data());
      for (index_t k = 0; k < count; ++k) out[k] = all[list[k]];
      return;
    }
    std::fill(out, out + count, 0.0);
    index_t i = 0;
    if (list == nullptr)
      for (; i + 4 <= rows(); i += 4) {
        const T* four[4] = {row(i), row(i + 1), row(i + 2), row(i + 3)};
        simd::axpy4(v + i, four, out, count);
      }
    for (; i < rows(); ++i)
      for (index_t k = 0; k < count; ++k) out[k] += v[i] * static_cast<double>(row(i)[at(list, k)]);
  }
  bool reads_all(index_t count) const override { return kDense * count > columns(); }
  bool by_columns() const override { return false; }
  void block_dots(index_t from, index_t to, const std::vector<const double*>& vectors, double* out) const override {
    const index_t p = columns(), size = to - from;  // results of a block stay in cache
    for (size_t m = 0; m < vectors.size(); ++m) std::fill_n(out + m * p + from, size, 0.0);
    index_t i = 0;
    for (; i + 4 <= rows(); i += 4) {
      const T* four[4] = {row(i) + from, row(i + 1) + from, row(i + 2) + from, row(i + 3) + from};
      for (size_t m = 0; m < vectors.size(); ++m) simd::axpy4(vectors[m] + i, four, out + m * p + from, size);
    }
    for (; i < rows(); ++i)
      for (size_t m = 0; m < vectors.size(); ++m) simd::axpy(vectors[m][i], row(i) + from, out + m * p + from, size);
  }
  void add(const index_t* list, index_t count, const double* coef, double* v) const override {
    index_t i = 0;
    if (count > 0 && in_a_row(list, count)) {
      const index_t first = at(list, 0);
      for (; i + 4 <= rows(); i += 4) {
        const T* four[4] = {row(i) + first, row(i + 1) + first, row(i + 2) + first, row(i + 3) + first};
        simd::dot4(four, coef, count, v + i);
      }
    }
    for (; i < rows(); ++i) {
      double total = 0.0;
      for (index_t k = 0; k < count; ++k) total += coef[k] * static_cast<double>(row(i)[at(list, k)]);
      v[i] += total;
    }
  }
  void add_weighted(index_t j, double a, const double* w, double* v) const override {
    for (index_t i = 0; i < rows(); ++i) v[i] += a * w[i] * static_cast<double>(row(i)[j]);
  }
  double square(index_t j, const double* w, double, double shift) const override {
    double total = 0.0;
    for (index_t i = 0; i < rows(); ++i) {
      const double d = static_cast<double>(row(i)[j]) - shift;
      total += w[i] * d * d;
    }
    return total;
  }
  void squares(index_t from, index_t to, const double* w, double, const double* shift, double* out) const override {
    std::fill(out + from, out + to, 0.0);
    for (index_t i = 0; i < rows(); ++i)
      for (index_t j = from; j < to; ++j) {
        const double d = static_cast<double>(row(i)[j]) - shift[j];
        out[j] += w[i] * d * d;
      }
  }
  void panel(index_t from, index_t size, const index_t* list, index_t count, const double* root, const double* shift,
             const double* scale, double* out) const override {
    for (index_t i = 0; i < size; ++i) {
      const T* x = row(from + i);
      for (index_t k = 0; k < count; ++k)
        out[k * size + i] = root[i] * ((static_cast<double>(x[at(list, k)]) - shift[k]) * scale[k]);
    }
  }

 private:
  static constexpr index_t kDense = 16;  // columns of float64 in two cache lines: gathers read them all anyway
  const T* row(index_t i) const { return data_ + i * stride_; }
  const T* data_;
  index_t stride_;
  DenseView view_;
};

// Compressed columns. Zeros that are not stored take part through the sums that the caller keeps.
template <class T, class I>
class SparseByColumns final : public Design {
 public:
  SparseByColumns(const T* data, const I* indices, const I* starts, index_t rows, index_t columns)
      : Design(rows, columns), data_(data), indices_(indices), starts_(starts) {}

  double bytes() const override { return sizeof(T) + sizeof(I); }
  bool sparse() const override { return true; }
  index_t stored(index_t j) const override { return static_cast<index_t>(starts_[j + 1] - starts_[j]); }
  void entries(index_t j, std::int32_t* rows, double* values) const override {
    for (I e = starts_[j]; e < starts_[j + 1]; ++e) {
      *rows++ = static_cast<std::int32_t>(indices_[e]);
      *values++ = static_cast<double>(data_[e]);
    }
  }
  void dots(const index_t* list, index_t count, const double* v, double* out) const override {
    for (index_t k = 0; k < count; ++k) out[k] = product(at(list, k), v);
  }
  // Four vectors side by side: where an entry's row is found, all of them are.
  void block_dots(index_t from, index_t to, const std::vector<const double*>& vectors, double* out) const override {
    const index_t count = static_cast<index_t>(vectors.size()), n = rows(), p = columns();
    if (count == 1) {
      for (index_t j = from; j < to; ++j) out[j] = product(j, vectors[0]);
      return;
    }
    std::vector<double> four(4 * n);
    for (index_t m = 0; m < count; m += 4) {
      const index_t used = std::min<index_t>(4, count - m);
      for (index_t k = 0; k < used; ++k)
        for (index_t i = 0; i < n; ++i) four[4 * i + k] = vectors[m + k][i];
      for (index_t j = from; j < to; ++j) {
        double sums[4] = {0.0, 0.0, 0.0, 0.0};
        for (I e = starts_[j]; e < starts_[j + 1]; ++e) {
          const double value = static_cast<double>(data_[e]), *v = four.data() + 4 * indices_[e];
          for (int k = 0; k < 4; ++k) sums[k] += value * v[k];
        }
        for (index_t k = 0; k < used; ++k) out[(m + k) * p + j] = sums[k];
      }
    }
  }
  void add(const index_t* list, index_t count, const double* coef, double* v) const override {
    for (index_t k = 0; k < count; ++k) {
      const index_t j = at(list, k);
      if (coef[k] == 0.0) continue;
      for (I e = starts_[j]; e < starts_[j + 1]; ++e) v[indices_[e]] += coef[k] * static_cast<double>(data_[e]);
    }
  }
  void add_weighted(index_t j, double a, const double* w, double* v) const override {
    for (I e = starts_[j]; e < starts_[j + 1]; ++e)
      v[indices_[e]] += a * w[indices_[e]] * static_cast<double>(data_[e]);
  }
  double square(index_t j, const double* w, double total, double shift) const override {
    double sum = 0.0, stored = 0.0;
    for (I e = starts_[j]; e < starts_[j + 1]; ++e) {
      const double d = static_cast<double>(data_[e]) - shift;
      sum += w[indices_[e]] * d * d;
      stored += w[indices_[e]];
    }
    const double absent = total - stored;  // weight of the zeros, unless it is the rounding of a full column
    return absent > 1e-14 * total ? sum + absent * shift * shift : sum;
  }
  void panel(index_t from, index_t size, const index_t* list, index_t count, const double* root, const double* shift,
             const double* scale, double* out) const override {
    for (index_t k = 0; k < count; ++k) {
      const index_t j = at(list, k);
      double* to = out + k * size;
      for (index_t i = 0; i < size; ++i) to[i] = -root[i] * shift[k] * scale[k];
      for (I e = starts_[j]; e < starts_[j + 1]; ++e) {
        const index_t i = static_cast<index_t>(indices_[e]) - from;
        if (i >= 0 && i < size) to[i] += root[i] * static_cast<double>(data_[e]) * scale[k];
      }
    }
  }

 private:
  double product(index_t j, const double* v) const {
    double sums[4] = {0.0, 0.0, 0.0, 0.0};  // four chains: one would wait for each of its additions
    I e = starts_[j];
    const I end = starts_[j + 1];
    for (; e + 4 <= end; e += 4)
      for (int m = 0; m < 4; ++m) sums[m] += static_cast<double>(data_[e + m]) * v[indices_[e + m]];
    for (; e < end; ++e) sums[0] += static_cast<double>(data_[e]) * v[indices_[e]];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  const T* data_;
  const I* indices_;
  const I* starts_;
};

}  // namespace

void Design::survey(const std::vector<const double*>& w, const std::vector<const double*>& v, double* mean,
                    double* about, double* product) const {
  const index_t p = columns_;
  const index_t together = sparse() ? p : 64;  // dense columns that stay in cache while all is asked of them
  for (index_t from = 0; from < p; from += together) {
    const index_t to = std::min(p, from + together);
    block_dots(from, to, w, mean);
    block_dots(from, to, v, product);
    for (size_t m = 0; m < w.size(); ++m)
      squares(from, to, w[m], simd::sum(w[m], rows_), mean + m * p, about + m * p);
  }
}

void Design::block_dots(index_t from, index_t to, const std::vector<const double*>& vectors, double* out) const {
  const index_t count = static_cast<index_t>(vectors.size());
  std::vector<double> each(count);
  for (index_t j = from; j < to; ++j) {
    column_dots(j, vectors.data(), count, each.data());
    for (index_t m = 0; m < count; ++m) out[m * columns_ + j] = each[m];
  }
}

template <class T>
std::unique_ptr<Design> dense_by_columns(const T* data, index_t rows, index_t columns, index_t stride) {
  return std::make_unique<DenseByColumns<T>>(data, rows, columns, stride);
}
template <class T>
std::unique_ptr<Design> dense_by_rows(const T* data, index_t rows, index_t columns, index_t stride) {
  return std::make_unique<DenseByRows<T>>(data, rows, columns, stride);
}
template <class T, class I>
std::unique_ptr<Design> sparse_by_columns(const T* data, const I* indices, const I* starts, index_t rows,
                                          index_t columns) {
  return std::make_unique<SparseByColumns<T, I>>(data, indices, starts, rows, columns);
}

template std::unique_ptr<Design> dense_by_columns(const double*, index_t, index_t, index_t);
template std::unique_ptr<Design> dense_by_columns(const float*, index_t, index_t, index_t);
template std::unique_ptr<Design> dense_by_rows(const double*, index_t, index_t, index_t);
template std::unique_ptr<Design> dense_by_rows(const float*, index_t, index_t, index_t);
template std::unique_ptr<Design> sparse_by_columns(const double*, const std::int32_t*, const std::int32_t*, index_t,
                                                   index_t);
template std::unique_ptr<Design> sparse_by_columns(const double*, const std::int64_t*, const std::int64_t*, index_t,
                                                   index_t);
template std::unique_ptr<Design> sparse_by_columns(const float*, const std::int32_t*, const std::int32_t*, index_t,
                                                   index_t);
template std::unique_ptr<Design> sparse_by_columns(const float*, const std::int64_t*, const std::int64_t*, index_t,
                                                   index_t);

}  // namespace bridle
