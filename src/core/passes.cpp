#include "passes.hpp"

#include <algorithm>

#include "blas.hpp"
#include "crew.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 256;    // of a panel, which stays in the second-level cache
constexpr index_t kStrip = 1024;  // of columns and vectors: long enough to be read ahead, and ten vectors stay in the second-level cache
constexpr index_t kSpan = 2;      // columns of a row that are read, for each that is needed
constexpr index_t kParts = 16;    // ranges of rows whose sums are kept apart, whatever the number of threads
constexpr index_t kTogether = 3;  // from so many vectors on, laying out rows costs less than reading again

// The columns that any of the vectors needs, and the place of each among them.
struct Union {
  std::vector<index_t> columns;  // ascending
  std::vector<index_t> place;    // (p,), -1: not needed

  template <class Wanted>
  Union(const Design& design, const std::vector<Wanted>& all) : place(design.columns(), -1) {
    for (const Wanted& one : all)
      for (index_t j : *one.columns) place[j] = 0;
    for (index_t j = 0; j < design.columns(); ++j) {
      if (place[j] < 0) continue;
      place[j] = static_cast<index_t>(columns.size());
      columns.push_back(j);
    }
  }
  index_t size() const { return static_cast<index_t>(columns.size()); }
  index_t first() const { return columns.front(); }
  index_t span() const { return columns.back() - columns.front() + 1; }
};

template <class Wanted>
bool together(const Design& design, const std::vector<Wanted>& all) {
  const DenseView* view = design.dense();
  const index_t fewest = view && view->row_stride == 1 ? 2 : kTogether;
  return static_cast<index_t>(all.size()) >= fewest && view && design.rows() > kParts * kRows;
}

// Calls work(panel (rows, size), first row, rows, part) for all blocks of rows, parts side by side.
template <class Work>
bool by_panels(const Design& design, const Union& needed, int threads, const Work& work) {
  const index_t n = design.rows(), blocks = (n + kRows - 1) / kRows;
  const std::vector<double> ones(kRows, 1.0), units(needed.size(), 1.0), zeros(needed.size(), 0.0);
  return side_by_side(threads, kParts, [&](index_t part) {
    std::vector<double> panel(kRows * needed.size());
    for (index_t b = part * blocks / kParts; b < (part + 1) * blocks / kParts; ++b) {
      const index_t row = b * kRows, rows = std::min(kRows, n - row);
      design.panel(row, rows, needed.columns.data(), needed.size(), ones.data(), zeros.data(), units.data(),
                   panel.data());
      work(panel.data(), row, rows, part);
    }
  });
}

// Calls work(first row, rows, part) for all strips of rows, parts side by side.
template <class Work>
bool by_strips(index_t n, int threads, const Work& work) {
  const index_t strips = (n + kStrip - 1) / kStrip;
  return side_by_side(threads, kParts, [&](index_t part) {
    for (index_t b = part * strips / kParts; b < (part + 1) * strips / kParts; ++b)
      work(b * kStrip, std::min(kStrip, n - b * kStrip), part);
  });
}

// Whether the table is read where it is: columns, or rows of which most of a range is needed.
bool in_place(const DenseView* view, const Union& needed) {
  return view && (view->row_stride == 1 || (view->column_stride == 1 && needed.span() <= kSpan * needed.size()));
}

// Where a strip's columns begin, or its rows, from the first column that is needed on.
template <class T>
std::vector<const T*> beginnings(const DenseView& view, const Union& needed, index_t row, index_t rows) {
  const T* data = static_cast<const T*>(view.data);
  std::vector<const T*> x(view.row_stride == 1 ? needed.size() : rows);
  for (index_t k = 0; k < static_cast<index_t>(x.size()); ++k)
    x[k] = view.row_stride == 1 ? data + needed.columns[k] * view.column_stride + row
                                : data + (row + k) * view.row_stride + needed.first();
  return x;
}

// Sums (kParts, count, size) of products with count vectors.
template <class T>
bool strip_dots(const DenseView& view, index_t n, const Union& needed, const std::vector<PassDots>& all, double* sums,
                int threads) {
  const index_t count = static_cast<index_t>(all.size()), size = needed.size(), span = needed.span();
  const bool columns = view.row_stride == 1;
  return by_strips(n, threads, [&](index_t row, index_t rows, index_t part) {
    std::vector<const T*> x = beginnings<T>(view, needed, row, rows);
    std::vector<double> v(count * rows), wide(columns ? 0 : count * span);
    for (index_t m = 0; m < count; ++m) std::copy_n(all[m].v + row, rows, v.data() + m * rows);
    double* to = sums + part * count * size;
    if (columns) {
      simd::products(x.data(), size, v.data(), rows, count, to, size, rows);
      return;
    }
    simd::times(x.data(), rows, v.data(), rows, count, wide.data(), span, span);
    for (index_t m = 0; m < count; ++m)
      for (index_t k = 0; k < size; ++k) to[m * size + k] += wide[m * span + needed.columns[k] - needed.first()];
  });
}

// The same for sums of columns: coef (count, size).
template <class T>
bool strip_add(const DenseView& view, index_t n, const Union& needed, const std::vector<PassSum>& all, const double* coef,
               int threads) {
  const index_t count = static_cast<index_t>(all.size()), size = needed.size(), span = needed.span();
  const bool columns = view.row_stride == 1;
  std::vector<double> wide(columns ? 0 : count * span);
  for (index_t m = 0; m < count && !columns; ++m)
    for (index_t k = 0; k < size; ++k) wide[m * span + needed.columns[k] - needed.first()] = coef[m * size + k];
  return by_strips(n, threads, [&](index_t row, index_t rows, index_t) {
    std::vector<const T*> x = beginnings<T>(view, needed, row, rows);
    std::vector<double> v(count * rows);
    if (columns)
      simd::times(x.data(), size, coef, size, count, v.data(), rows, rows);
    else
      simd::products(x.data(), rows, wide.data(), span, count, v.data(), rows, span);
    for (index_t m = 0; m < count; ++m) simd::axpy(1.0, v.data() + m * rows, all[m].v + row, rows);
  });
}

void multiply(char transa, index_t m, index_t n, index_t k, double* a, index_t lda, double* b, index_t ldb, double beta,
              double* c, index_t ldc) {
  char plain = 'N';
  int sizes[6] = {static_cast<int>(m),   static_cast<int>(n),   static_cast<int>(k),
                  static_cast<int>(lda), static_cast<int>(ldb), static_cast<int>(ldc)};
  double one = 1.0;
  blas().dgemm(&transa, &plain, sizes, sizes + 1, sizes + 2, &one, a, sizes + 3, b, sizes + 4, &beta, c, sizes + 5);
}

}  // namespace

bool pass_dots(const Design& design, const std::vector<PassDots>& all, int threads) {
  const index_t count = static_cast<index_t>(all.size());
  if (!together(design, all))
    return side_by_side(threads, count, [&](index_t m) {
      design.dots(all[m].columns->data(), static_cast<index_t>(all[m].columns->size()), all[m].v, all[m].out);
    });
  const Union needed(design, all);
  if (needed.size() == 0) return true;
  std::vector<double> sums(kParts * needed.size() * count, 0.0);  // (size, count) of each part
  const DenseView* view = design.dense();
  const auto panels = [&](double* panel, index_t row, index_t rows, index_t part) {
    std::vector<double> v(rows * count);
    for (index_t m = 0; m < count; ++m) std::copy_n(all[m].v + row, rows, v.data() + m * rows);
    multiply('T', needed.size(), count, rows, panel, rows, v.data(), rows, 1.0,
             sums.data() + part * needed.size() * count, needed.size());
  };
  const index_t n = design.rows();
  bool done;
  if (!in_place(view, needed))
    done = by_panels(design, needed, threads, panels);
  else if (view->single)
    done = strip_dots<float>(*view, n, needed, all, sums.data(), threads);
  else
    done = strip_dots<double>(*view, n, needed, all, sums.data(), threads);
  for (index_t m = 0; m < count; ++m)
    for (size_t k = 0; k < all[m].columns->size(); ++k) {
      double total = 0.0;
      for (index_t part = 0; part < kParts; ++part)
        total += sums[(part * count + m) * needed.size() + needed.place[(*all[m].columns)[k]]];
      all[m].out[k] = total;
    }
  return done;
}

bool pass_add(const Design& design, const std::vector<PassSum>& all, int threads) {
  const index_t count = static_cast<index_t>(all.size());
  if (!together(design, all))
    return side_by_side(threads, count, [&](index_t m) {
      design.add(all[m].columns->data(), static_cast<index_t>(all[m].columns->size()), all[m].coef, all[m].v);
    });
  const Union needed(design, all);
  if (needed.size() == 0) return true;
  std::vector<double> coef(needed.size() * count, 0.0);  // (size, count)
  for (index_t m = 0; m < count; ++m)
    for (size_t k = 0; k < all[m].columns->size(); ++k)
      coef[m * needed.size() + needed.place[(*all[m].columns)[k]]] = all[m].coef[k];
  const DenseView* view = design.dense();
  const index_t n = design.rows();
  if (in_place(view, needed))
    return view->single ? strip_add<float>(*view, n, needed, all, coef.data(), threads)
                        : strip_add<double>(*view, n, needed, all, coef.data(), threads);
  return by_panels(design, needed, threads, [&](double* panel, index_t row, index_t rows, index_t) {
    std::vector<double> sums(rows * count);
    multiply('N', rows, count, needed.size(), panel, rows, coef.data(), needed.size(), 0.0, sums.data(), rows);
    for (index_t m = 0; m < count; ++m) simd::axpy(1.0, sums.data() + m * rows, all[m].v + row, rows);
  });
}

}  // namespace bridle
