// The one view of a matrix that the solver knows: columns by their inner products with vectors of rows.
//
// Storage (dense in either order, sparse by columns, float32 or float64) is a template parameter of the
// implementations. Nothing is copied, and nothing is centred: centring and scaling are algebra done by the caller.
#pragma once

#include <memory>
#include <vector>

#include "simd.hpp"

namespace bridle {

// Entries of a dense matrix as they lie: x_ij at data + i * row_stride + j * column_stride, one of the strides 1.
struct DenseView {
  const void* data;
  bool single;  // float32, else float64
  index_t row_stride, column_stride;
};

// Whether list[k] = list[0] + k, or null: columns side by side.
inline bool in_a_row(const index_t* list, index_t count) {
  for (index_t k = 1; list && k < count; ++k)
    if (list[k] != list[0] + k) return false;
  return true;
}

class Design {
 public:
  Design(index_t rows, index_t columns) : rows_(rows), columns_(columns) {}
  virtual ~Design() = default;
  index_t rows() const { return rows_; }        // n
  index_t columns() const { return columns_; }  // p

  // out[k] = x_{list[k]}' v; list of `count` columns, null for the first `count`; v (n,), out (count,)
  virtual void dots(const index_t* list, index_t count, const double* v, double* out) const = 0;
  // out[m] = x_j' v_m for m < count; v_m (n,)
  virtual void column_dots(index_t j, const double* const* vectors, index_t count, double* out) const {
    for (index_t m = 0; m < count; ++m) dots(&j, 1, vectors[m], out + m);
  }
  // out[m * p + j] = x_j' v_m for columns from <= j < to and several vectors v_m (n,), each column read once
  virtual void block_dots(index_t from, index_t to, const std::vector<const double*>& vectors, double* out) const;
  // Whether a column is read on its own, so that others who need it had better read it then.
  virtual bool by_columns() const { return true; }
  // Whether dots of this many columns cost as much as those of all.
  virtual bool reads_all(index_t count) const { return count >= columns_; }
  // v += sum_k coef[k] x_{list[k]}; v (n,), coef (count,)
  virtual void add(const index_t* list, index_t count, const double* coef, double* v) const = 0;
  // v += a w x_j, element by element; w, v (n,)
  virtual void add_weighted(index_t j, double a, const double* w, double* v) const = 0;
  // sum_i w_i (x_ij - shift)^2; w (n,) sums to total
  virtual double square(index_t j, const double* w, double total, double shift) const = 0;
  // The same for columns from <= j < to; shift, out (p,)
  virtual void squares(index_t from, index_t to, const double* w, double total, const double* shift,
                       double* out) const {
    for (index_t j = from; j < to; ++j) out[j] = square(j, w, total, shift[j]);
  }
  // In one pass over the matrix, for each m < w.size(): mean = X'w_m, about = sum_i w_mi (x_ij - mean_j)^2, product =
  // X'v_m; w_m, v_m (n,), the results (m, p)
  void survey(const std::vector<const double*>& w, const std::vector<const double*>& v, double* mean, double* about,
              double* product) const;
  // Rows [from, from + size) of some columns, shifted, to out (size, count) with leading dimension size:
  // out[i, k] = root[i] * (x_{from + i, list[k]} - shift[k]) * scale[k]; root (size,), shift and scale (count,)
  virtual void panel(index_t from, index_t size, const index_t* list, index_t count, const double* root,
                     const double* shift, const double* scale, double* out) const = 0;
  virtual double bytes() const = 0;  // of one number, as stored
  // Whether inner products cost as much as the entries that are stored, fewer than n a column.
  virtual bool sparse() const { return false; }
  virtual index_t stored(index_t) const { return rows_; }  // entries of column j
  // Where they are and what, of sparse columns: rows, values (stored(j),)
  virtual void entries(index_t, std::int32_t*, double*) const {}
  virtual const DenseView* dense() const { return nullptr; }  // null where there are only stored entries

 private:
  index_t rows_, columns_;
};

template <class T>
std::unique_ptr<Design> dense_by_columns(const T* data, index_t rows, index_t columns, index_t stride);
template <class T>
std::unique_ptr<Design> dense_by_rows(const T* data, index_t rows, index_t columns, index_t stride);
// data and indices (nnz,), starts (p + 1,); row indices may come in any order, without duplicates in a column
template <class T, class I>
std::unique_ptr<Design> sparse_by_columns(const T* data, const I* indices, const I* starts, index_t rows,
                                          index_t columns);

}  // namespace bridle
