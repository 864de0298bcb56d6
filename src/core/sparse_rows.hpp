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

// Rows of a list of sparse columns, packed: a product X'W(X v) reads them once, where columns would be read twice and out
// of order. Entries are in single precision: for steps of a model, whose residual is kept exactly elsewhere.
class PackedRows {
 public:
  // Pack the columns of the list, unless they are those that are there.
  void read(const Design& design, const std::vector<index_t>& list);
  // out += X' [w (X v - level)]; w (n,), v and out (count,)
  void product(const double* w, double level, const double* v, double* out) const;

 private:
  struct Entry {
    float value;
    std::int32_t place;
  };
  std::vector<index_t> list_, starts_;  // starts_ (n + 1,)
  std::vector<Entry> entries_;
};

}  // namespace bridle
