// Columns packed side by side, so that their products with each other run at the rate of the processor.
#pragma once

#include <vector>

#include "design.hpp"

namespace bridle {

// Some rows of X
struct PanelRows {
  index_t from;               // the first
  const std::int32_t* order;  // (count,) which of those that follow; null: one after the other
  index_t count;
  const double* root;         // (count,) what each is multiplied with
};

// A panel Z (rows, columns) is filled and then multiplied with itself. The layout is that of Goto and van de Geijn (2008),
// "Anatomy of high-performance matrix multiplication", packed once for both sides.
class PackedColumns {
 public:
  PackedColumns();
  void resize(index_t rows, index_t columns);  // of Z, what it holds is lost
  // The first `count` columns: z_rk = root_r (x_{row r, list[k]} - shift_k) scale_k; list null: the first columns of X.
  // Those after them have to be set afterwards. Without a dense view rows.order must be null.
  void take(const Design& design, const PanelRows& rows, const index_t* list, index_t count, const double* shift,
            const double* scale);
  void set(index_t k, const double* z);  // column k; z (rows,)
  // out_ik += sum_r z_ri z_rk over begin <= r < end, for from <= k < columns and i <= k; out by columns. Entries below the
  // diagonal of those columns come out as something else.
  void add(index_t begin, index_t end, index_t from, double* out, index_t ld) const;

 private:
  template <class T>
  void take_dense(const DenseView& view, const PanelRows& rows, const index_t* list, index_t count, const double* shift,
                  const double* scale);
  double* place(index_t k) { return data_.data() + k / lanes_ * step_ + k % lanes_; }  // of column k, row 0

  index_t lanes_, rows_ = 0, columns_ = 0, step_ = 0;  // columns of a group; step_: from one group to the next
  std::vector<double> data_, some_;                    // group g, row r, column c at g * step + r * lanes + c
};

}  // namespace bridle
