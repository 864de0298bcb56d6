// The exact quadratic model of a coupled loss over a few coefficients, cells of a feature and a predictor each.
//
// With the curvature of a row diag(d) - r r' (Loss::split) it is one Gram matrix for each predictor less one of all cells'
// columns r_k x_j: n c^2 operations for c cells, where all coefficients of their features would take far more.
#pragma once

#include <cmath>
#include <vector>

#include "block_descent.hpp"
#include "columns.hpp"
#include "packed_columns.hpp"

namespace bridle {

struct Cells {
  std::vector<index_t> features;    // (c,)
  std::vector<index_t> predictors;  // (c,)
  std::vector<index_t> places;      // (c,) in the working set's (m, K) by columns
  std::vector<Block> blocks;        // of consecutive cells
  index_t count() const { return static_cast<index_t>(features.size()); }
};

// Of each row diag(d) - r r', as Loss::split gives it: d, r (n, K) by columns.
struct SplitCurvature {
  const double *diagonal, *root;
};

class CellModel {
 public:
  // every: 1, or of how many blocks of rows one stands for all, where a rough model will do
  void make(const Columns& x, const Cells& cells, index_t predictors, const SplitCurvature& split, index_t every);
  ModelMatrix matrix() const { return {data_.data(), count_, count_, version_}; }
  // What a move (c,) of the coefficients moves the intercepts by, for columns as they are; out (K,)
  void intercepts(const Columns& x, const Cells& cells, const double* move, double* out) const;

 private:
  void add_rows(const Columns& x, const Cells& cells, const SplitCurvature& split, index_t row, index_t rows);
  index_t own_size(index_t k) const { return static_cast<index_t>(std::lround(std::sqrt(static_cast<double>(own_[k].size())))); }
  void collect(double share, bool centred);
  void take_intercepts();

  index_t predictors_ = 0, count_ = 0;
  std::vector<double> data_;                    // (c, c)
  std::vector<double> crossed_;                 // (K, c) by columns: x~'W_kl 1
  std::vector<double> total_, vectors_, values_;  // of sum_i W_i (K, K)
  std::vector<index_t> order_;                  // cells, predictor by predictor
  std::vector<std::vector<double>> own_;        // of each predictor the products of its cells' columns sqrt(d_k) x~_j and sqrt(d_k)
  std::vector<double> bent_;                    // products of all cells' columns r_k x~_j, followed by the K columns r_k
  PackedColumns packed_;
  std::vector<double> panel_, column_values_, shift_, inverse_;
  std::vector<index_t> features_, column_;      // distinct features; of each cell, where its feature is among them
  unsigned version_ = 0;
};

}  // namespace bridle
