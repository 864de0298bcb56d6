#include "gram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr index_t kPanelRows = 256;  // a panel of 300 columns stays in the second-level cache
constexpr index_t kRun = 16;         // rows in a row, of those that a rough matrix is made from: whole cache lines
constexpr index_t kFewColumns = 8;   // below this a pass of inner products costs less than building panels
constexpr index_t kCoupled = index_t{1} << 21;  // numbers of columns W x that are held at a time (16 MB)
constexpr double kCancels = 100.0;   // mean square over variance, from which on a column is centred before its products

}  // namespace

void Gram::reset(const double* weights, index_t n, std::shared_ptr<const Curvature> coupling, index_t every) {
  coupling_ = std::move(coupling);
  every_ = every;
  weights_.assign(weights, weights + n);
  total_ = simd::sum(weights, n);
  size_ = 0;
  shift_.clear();
  ++version_;
}

void Gram::assign(std::vector<double> data, std::vector<double> shift, const double* weights, index_t n) {
  weights_.assign(weights, weights + n);
  total_ = simd::sum(weights, n);
  every_ = 1;
  size_ = ld_ = static_cast<index_t>(shift.size());
  data_ = std::move(data);
  shift_ = std::move(shift);
  ++version_;
}

void Gram::subtract(const std::vector<index_t>& list, const double* coef, double* out) const {
  const index_t count = static_cast<index_t>(list.size());
  index_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const double* columns[4] = {column(list[i]), column(list[i + 1]), column(list[i + 2]), column(list[i + 3])};
    const double steps[4] = {-coef[i], -coef[i + 1], -coef[i + 2], -coef[i + 3]};
    simd::axpy4(steps, columns, out, size_);
  }
  for (; i < count; ++i) simd::axpy(-coef[i], column(list[i]), out, size_);
}

void Gram::reserve(index_t count) {
  if (count <= ld_) return;
  const index_t ld = std::max(count, ld_ + ld_ / 2);
  std::vector<double> grown(ld * ld);
  for (index_t k = 0; k < size_; ++k) std::copy_n(column(k), size_, grown.data() + k * ld);
  data_.swap(grown);
  ld_ = ld;
}

void Gram::extend(const Columns& x, const index_t* list, index_t count) {
  if (count <= size_) return;
  reserve(count);
  const index_t from = size_;
  shift_.resize(count, 0.0);
  if (coupling_) {
    for (index_t k = from; k < count; ++k) shift_[k] = x.centre[list[k]];
  } else if (x.centred && total_ > 0.0) {
    x.design.dots(list + from, count - from, weights_.data(), shift_.data() + from);
    for (index_t k = from; k < count; ++k) shift_[k] /= total_;
  }
  if (coupling_)
    by_coupling(x, list, from, count);
  else if (x.design.sparse())
    by_rows(x, list, from, count);
  else if (count - from < kFewColumns && !rough())
    by_columns(x, list, from, count);
  else
    by_panels(x, list, from, count);
  for (index_t k = from; k < count; ++k)  // mirror: column k holds rows 0..k so far
    for (index_t i = 0; i < k; ++i) data_[i * ld_ + k] = data_[k * ld_ + i];
  size_ = count;
}

// Products of column z = W (x~_k - mean) with `count` columns; sum_i z_i = 0, so x_i'z needs no centring.
void Gram::column_products(const Columns& x, const index_t* list, index_t k, index_t count, double* out) {
  const index_t n = x.rows(), j = list[k];
  const double one = 1.0, scale = 1.0 / x.scale[j];
  product_.assign(n, -shift_[k]);
  x.design.add(&j, 1, &one, product_.data());
  for (index_t i = 0; i < n; ++i) product_[i] *= weights_[i] * scale;
  x.design.dots(list, count, product_.data(), out);
  const double rounding = x.centred ? simd::sum(product_.data(), n) : 0.0;
  for (index_t i = 0; i < count; ++i) out[i] = (out[i] - shift_[i] * rounding) / x.scale[list[i]];
}

// One column at a time against all that are there.
void Gram::by_columns(const Columns& x, const index_t* list, index_t from, index_t count) {
  for (index_t k = from; k < count; ++k) column_products(x, list, k, k + 1, data_.data() + k * ld_);
}

// Sums of raw products, centred afterwards: where many entries aren't stored, a column's mean square is small beside
// its variance and little cancels. Columns of which that isn't true are centred first.
void Gram::by_rows(const Columns& x, const index_t* list, index_t from, index_t count) {
  std::vector<index_t> number(count);
  for (index_t k = 0; k < count; ++k) number[k] = rows_.number(x.design, list[k]);
  std::vector<double> raw(rows_.size()), centred(count);
  const bool anew = from == 0;  // then each pair comes up twice, and is taken from the column with the larger number
  if (anew) {
    cancels_.clear();
    some_cancel_ = false;
  }
  cancels_.resize(rows_.size(), 0);
  for (index_t k = from; k < count; ++k) {
    const double mean = shift_[k], scale = x.scale[list[k]];
    std::fill(raw.begin(), raw.end(), 0.0);
    rows_.products(x.design, list[k], weights_.data(), anew, raw.data());
    const double square = raw[number[k]];
    cancels_[number[k]] = kCancels * (square - total_ * mean * mean) < square;
    some_cancel_ = some_cancel_ || cancels_[number[k]];
    const bool centre = cancels_[number[k]] || (some_cancel_ && !anew);
    if (centre) column_products(x, list, k, count, centred.data());
    for (index_t i = 0; i < (anew ? count : k + 1); ++i) {
      if (!centre && (cancels_[number[i]] || (anew && number[i] > number[k]))) continue;
      data_[std::max(i, k) * ld_ + std::min(i, k)] =
          centre ? centred[i] : (raw[number[i]] - total_ * mean * shift_[i]) / (scale * x.scale[list[i]]);
    }
  }
}

// Blocks of rows, centred and scaled by sqrt(W) before their products: no Gram of uncentred data loses digits here.
void Gram::by_panels(const Columns& x, const index_t* list, index_t from, index_t count) {
  const index_t n = rough() ? x.rows() / every_ / kRun * kRun : x.rows();
  const auto at = [&](index_t i) { return every_ == 1 ? i : i / kRun * kRun * every_ + i % kRun; };  // the row taken as number i
  std::vector<double> root(kPanelRows), inverse(count);
  std::vector<std::int32_t> order(rough() ? kPanelRows : 0);
  double share = 1.0;  // by which weights of the rows taken are too small
  if (rough()) {
    double taken = 0.0;
    for (index_t i = 0; i < n; ++i) taken += weights_[at(i)];
    share = taken > 0.0 ? total_ / taken : 0.0;
  }
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(at(static_cast<index_t>(i)));
  for (index_t k = 0; k < count; ++k) inverse[k] = 1.0 / x.scale[list[k]];
  for (index_t k = from; k < count; ++k) std::fill_n(data_.data() + k * ld_, count, 0.0);
  for (index_t row = 0; row < n; row += kPanelRows) {
    const index_t rows = std::min(kPanelRows, n - row);
    for (index_t i = 0; i < rows; ++i) root[i] = std::sqrt(share * weights_[at(row + i)]);
    packed_.resize(rows, count);
    const PanelRows which{at(row), rough() ? order.data() : nullptr, rows, root.data()};
    packed_.take(x.design, which, list, count, shift_.data(), inverse.data());
    packed_.add(0, rows, from, data_.data(), ld_);
  }
}

// Columns W x~_k, some at a time, against all that are there.
void Gram::by_coupling(const Columns& x, const index_t* list, index_t from, index_t count) {
  const index_t n = x.rows(), most = std::max<index_t>(kFewColumns, kCoupled / n);
  std::vector<double> plain(n), out(count), panel(kPanelRows * count);
  const std::vector<double> ones(kPanelRows, 1.0);
  std::vector<double> inverse(count);
  for (index_t k = 0; k < count; ++k) inverse[k] = 1.0 / x.scale[list[k]];
  double one = 1.0;
  char trans = 'T', plainly = 'N';
  for (index_t start = from; start < count; start += most) {
    const index_t end = std::min(count, start + most);
    product_.resize(n * (end - start));
    for (index_t k = start; k < end; ++k) {
      std::fill(plain.begin(), plain.end(), -shift_[k] * inverse[k]);
      x.design.add(list + k, 1, &inverse[k], plain.data());
      coupling_->times(plain.data(), product_.data() + n * (k - start));
    }
    if (x.design.sparse() || end - start < kFewColumns) {
      for (index_t k = start; k < end; ++k) {
        const double* z = product_.data() + n * (k - start);
        x.design.dots(list, k + 1, z, out.data());
        const double rounding = simd::sum(z, n);
        for (index_t i = 0; i <= k; ++i) data_[k * ld_ + i] = (out[i] - shift_[i] * rounding) * inverse[i];
      }
      continue;
    }
    for (index_t k = start; k < end; ++k) std::fill_n(data_.data() + k * ld_, end, 0.0);
    for (index_t row = 0; row < n; row += kPanelRows) {
      const index_t rows = std::min(kPanelRows, n - row);
      x.design.panel(row, rows, list, end, ones.data(), shift_.data(), inverse.data(), panel.data());
      int size = static_cast<int>(rows), fresh = static_cast<int>(end - start), all = static_cast<int>(end);
      int ld = static_cast<int>(ld_), length = static_cast<int>(n);
      blas().dgemm(&trans, &plainly, &all, &fresh, &size, &one, panel.data(), &size, product_.data() + row, &length,
                   &one, data_.data() + start * ld_, &ld);
    }
  }
}

void Gram::keep(const std::vector<index_t>& keep) {
  const index_t count = static_cast<index_t>(keep.size());
  if (count == size_) return;
  for (index_t k = 0; k < count; ++k) {  // keep[k] >= k: nothing is overwritten before it is read
    const double* read = data_.data() + keep[k] * ld_;
    double* write = data_.data() + k * ld_;
    for (index_t i = 0; i < count; ++i) write[i] = read[keep[i]];
    shift_[k] = shift_[keep[k]];
  }
  size_ = count;
  shift_.resize(count);
  ++version_;
}

}  // namespace bridle
