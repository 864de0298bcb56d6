#include "panels.hpp"

#include <algorithm>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 256, kColumns = 256;  // of a panel: half a megabyte, for the second-level cache

}  // namespace

// use(first column, columns, first row, rows), with the panel (rows, columns) at hand
template <class Use>
void Panels::each(const index_t* list, index_t count, Use&& use) {
  if (!list) {
    for (index_t j = static_cast<index_t>(all_.size()); j < count; ++j) all_.push_back(j);
    list = all_.data();
  }
  panel_.resize(kRows * kColumns);
  ones_.assign(std::max(kRows, kColumns), 1.0);
  zeros_.assign(kColumns, 0.0);
  const index_t n = x_.rows();
  for (index_t from = 0; from < count; from += kColumns) {
    const index_t columns = std::min(kColumns, count - from);
    for (index_t row = 0; row < n; row += kRows) {
      const index_t rows = std::min(kRows, n - row);
      x_.design.panel(row, rows, list + from, columns, ones_.data(), zeros_.data(), ones_.data(), panel_.data());
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
    char plain = 'N';
    double one = 1.0;
    int m = static_cast<int>(rows), k = static_cast<int>(vectors), q = static_cast<int>(columns);
    int ldb = static_cast<int>(count), ldc = static_cast<int>(n);
    blas().dgemm(&plain, &plain, &m, &k, &q, &one, panel_.data(), &m, const_cast<double*>(coef) + from, &ldb, &one,
                 out + row, &ldc);
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
    char plain = 'N', trans = 'T';
    double one = 1.0;
    int m = static_cast<int>(columns), k = static_cast<int>(vectors), q = static_cast<int>(rows);
    int ldb = static_cast<int>(n), ldc = static_cast<int>(count);
    blas().dgemm(&trans, &plain, &m, &k, &q, &one, panel_.data(), &q, const_cast<double*>(v) + row, &ldb, &one,
                 out + from, &ldc);
  });
  for (index_t k = 0; k < vectors; ++k) x_.centre_dots(list, count, v + k * n, out + k * count);
}

}  // namespace bridle
