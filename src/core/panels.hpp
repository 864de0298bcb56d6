// Products of some columns with several vectors at once: a block of the matrix is read once for all of them and not once
// for each.
#pragma once

#include "columns.hpp"

namespace bridle {

// Column j where it lies in memory as float64, row after row; null where it doesn't.
const double* lying(const Design& design, index_t j);

class Panels {
 public:
  explicit Panels(const Columns& x) : x_(x) {}
  // out (n, K) += X coef, raw columns list[0..count), coef (count, K) by columns
  void times(const index_t* list, index_t count, const double* coef, index_t vectors, double* out);
  // out (count, K) = X~'V, V (n, K) by columns; list null: the first `count` columns
  void dots(const index_t* list, index_t count, const double* v, index_t vectors, double* out);

 private:
  template <class Use>
  void each(const index_t* list, index_t count, Use&& use);
  bool few(index_t vectors) const { return vectors < kFew || x_.design.sparse(); }
  static constexpr index_t kFew = 3;

  const Columns& x_;
  std::vector<double> panel_, ones_, zeros_;
  std::vector<const double*> columns_;
  std::vector<index_t> all_;
};

}  // namespace bridle
