#include "panels.hpp"

#include <algorithm>

namespace bridle {
namespace {

constexpr index_t kRows = 128, kColumns = 256;  // of a panel: a quarter of a megabyte, for the second-level cache
constexpr index_t kStrip = 1024;                // rows of columns that are read where they are: long enough to be read ahead

}  // namespace

const double* lying(const Design& design, index_t j) {
  const DenseView* view = design.dense();
  const bool lies = view && !view->single && view->row_stride == 1;
  return lies ? static_cast<const double*>(view->data) + j * view->column_stride : nullptr;
}

// use(first column, columns, first row, rows), with the columns' rows at columns_
template <class Use>
void Panels::each(const index_t* list, index_t count, Use&& use) {
  if (!list) {
    for (index_t j = static_cast<index_t>(all_.size()); j < count; ++j) all_.push_back(j);
    list = all_.data();
  }
  const index_t n = x_.rows();
  const bool lies = count > 0 && lying(x_.design, list[0]) != nullptr;
  const index_t most = lies ? kStrip : kRows;
  columns_.resize(kColumns);
  panel_.resize(lies ? 0 : kRows * kColumns);
  ones_.assign(std::max(kRows, kColumns), 1.0);
  zeros_.assign(kColumns, 0.0);
  for (index_t from = 0; from < count; from += kColumns) {
    const index_t columns = std::min(kColumns, count - from);
    for (index_t row = 0; row < n; row += most) {
      const index_t rows = std::min(most, n - row);
      if (!lies)
        x_.design.panel(row, rows, list + from, columns, ones_.data(), zeros_.data(), ones_.data(), panel_.data());
      for (index_t c = 0; c < columns; ++c)
        columns_[c] = lies ? lying(x_.design, list[from + c]) + row : panel_.data() + c * rows;
      use(from, columns, row, rows);
    }
  }
}

void Panels::times(const index_t* list, index_t count, const double* coef, index_t vectors, double* out) {
  const index_t n = x_.rows();
  if (few(vectors)) {
    for (index_t k = 0; k < vectors; ++k) x_.design.add(list, count, coef + k * count, out + k * n);
    return;
  }
  each(list, count, [&](index_t from, index_t columns, index_t row, index_t rows) {
    simd::times(columns_.data(), columns, coef + from, count, vectors, out + row, n, rows);
  });
}

void Panels::dots(const index_t* list, index_t count, const double* v, index_t vectors, double* out) {
  const index_t n = x_.rows();
  if (few(vectors)) {
    for (index_t k = 0; k < vectors; ++k) x_.dots(list, count, v + k * n, out + k * count);
    return;
  }
  std::fill_n(out, count * vectors, 0.0);
  each(list, count, [&](index_t from, index_t columns, index_t row, index_t rows) {
    simd::products(columns_.data(), columns, v + row, n, vectors, out + from, count, rows);
  });
  for (index_t k = 0; k < vectors; ++k) x_.centre_dots(list, count, v + k * n, out + k * count);
}

}  // namespace bridle
