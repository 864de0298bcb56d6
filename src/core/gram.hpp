// The weighted Gram matrix of the working set, H = X~'WX~ with columns centred under W, kept and extended.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "columns.hpp"
#include "losses.hpp"
#include "packed_columns.hpp"
#include "sparse_rows.hpp"

namespace bridle {

// Far from the solution a matrix from a share of the rows tells the way: down to a gap of kRough, over the reference, and
// from one in `rows_apart` rows, 32 for each column.
constexpr double kRough = 1e-2;
inline index_t rows_apart(index_t rows, index_t columns) { return std::max<index_t>(1, rows / (32 * (columns + 1))); }

class Gram {
 public:
  index_t size() const { return size_; }                                      // k
  const double* column(index_t k) const { return data_.data() + k * ld_; }    // (k,) contiguous; H is symmetric
  double at(index_t i, index_t k) const { return data_[k * ld_ + i]; }
  double shift(index_t k) const { return shift_[k]; }  // mean of raw column k under W; 0 without an intercept
  index_t leading() const { return ld_; }              // entries from one column to the next
  unsigned version() const { return version_; }        // changes whenever entries that were there change

  // Forget everything and take new weights (n,), the curvature of the loss at some point; where rows act on each
  // other, W is the matrix that is given as coupling. Products are summed over one in `every` rows (dense tables).
  void reset(const double* weights, index_t n, std::shared_ptr<const Curvature> coupling = nullptr, index_t every = 1);
  bool rough() const { return every_ > 1; }
  bool too_rough(index_t columns) const { return every_ > rows_apart(static_cast<index_t>(weights_.size()), columns); }
  bool empty() const { return weights_.empty(); }
  // Take a matrix that is made already: data (k, k), shift (k,); weights (n,), null if it won't be extended
  void assign(std::vector<double> data, std::vector<double> shift, const double* weights, index_t n);
  // out -= sum_i coef[i] column(list[i]); coef as long as list, out (k,)
  void subtract(const std::vector<index_t>& list, const double* coef, double* out) const;
  // Append list[size()..count) under the weights that it was reset with; list (count,)
  void extend(const Columns& x, const index_t* list, index_t count);
  // Keep rows and columns keep[0] < keep[1] < ... only.
  void keep(const std::vector<index_t>& keep);

 private:
  void reserve(index_t count);
  void by_panels(const Columns& x, const index_t* list, index_t from, index_t count);
  void by_columns(const Columns& x, const index_t* list, index_t from, index_t count);
  void column_products(const Columns& x, const index_t* list, index_t k, index_t count, double* out);
  void by_rows(const Columns& x, const index_t* list, index_t from, index_t count);
  void by_coupling(const Columns& x, const index_t* list, index_t from, index_t count);

  std::vector<double> weights_, data_, shift_, product_;
  PackedColumns packed_;
  SparseRows rows_;             // of sparse columns; these don't change with the weights
  std::vector<char> cancels_;   // by number there: whether sums of raw products would lose digits
  bool some_cancel_ = false;
  std::shared_ptr<const Curvature> coupling_;
  double total_ = 0.0;
  index_t size_ = 0, ld_ = 0, every_ = 1;
  unsigned version_ = 0;
};

}  // namespace bridle
