// Rows of the sparse columns that a model has had: products of columns cost only the pairs of entries that share a row.
#pragma once

#include <cstdint>
#include <vector>

#include "design.hpp"

namespace bridle {

class SparseRows {
 public:
  index_t size() const { return static_cast<index_t>(columns_.size()); }
  // Number of column j here, given to it the first time.
  index_t number(const Design& design, index_t j);
  // out[m] += x_m' W x_j for the columns numbered m < size(), or m <= j's number only; w (n,), out (size(),)
  void products(const Design& design, index_t j, const double* w, bool earlier, double* out);

 private:
  struct Entry {
    double value;
    std::int32_t number;
  };
  void read(const Design& design, index_t j);

  std::vector<std::vector<Entry>> rows_;  // (n,) by number
  std::vector<std::int32_t> number_;      // (p,) -1: none
  std::vector<index_t> columns_;          // by number
  std::vector<std::int32_t> places_;      // of a column's entries,
  std::vector<double> values_;            // and what they are
};

}  // namespace bridle
