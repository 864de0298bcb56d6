#include "block_cells.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "block_model.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 256;

}  // namespace

void CellModel::make(const Columns& x, const Cells& cells, index_t predictors, const SplitCurvature& split) {
  predictors_ = predictors;
  count_ = cells.count();
  ++version_;
  features_ = cells.features;
  std::sort(features_.begin(), features_.end());
  features_.erase(std::unique(features_.begin(), features_.end()), features_.end());
  shift_.clear();
  inverse_.clear();
  for (index_t j : features_) {
    shift_.push_back(x.centre[j]);
    inverse_.push_back(1.0 / x.scale[j]);
  }
  column_.clear();
  for (index_t j : cells.features)
    column_.push_back(std::lower_bound(features_.begin(), features_.end(), j) - features_.begin());
  order_.clear();
  own_.assign(predictors, {});
  for (index_t k = 0; k < predictors; ++k) {
    const size_t before = order_.size();
    for (index_t c = 0; c < count_; ++c)
      if (cells.predictors[c] == k) order_.push_back(c);
    own_[k].assign((order_.size() - before) * (order_.size() - before), 0.0);
  }
  data_.assign(count_ * count_, 0.0);
  crossed_.assign(count_ * predictors, 0.0);
  total_.assign(predictors * predictors, 0.0);
  for (index_t row = 0; row < x.rows(); row += kRows) add_rows(x, cells, split, row, std::min(kRows, x.rows() - row));
  for (index_t k = 0, at = 0; k < predictors; ++k) {
    const index_t size = static_cast<index_t>(std::lround(std::sqrt(static_cast<double>(own_[k].size()))));
    for (index_t b = 0; b < size; ++b)
      for (index_t a = 0; a <= b; ++a) {
        const index_t i = std::min(order_[at + a], order_[at + b]), j = std::max(order_[at + a], order_[at + b]);
        data_[j * count_ + i] += own_[k][b * size + a];
      }
    at += size;
  }
  if (x.centred) take_intercepts();
  for (index_t b = 0; b < count_; ++b)
    for (index_t a = 0; a < b; ++a) data_[a * count_ + b] = data_[b * count_ + a];
}

// Upper triangles: data_ -= R'R and own_ += D'D for the rows' columns r_k x~_j and sqrt(d_k) x~_j; crossed_, total_.
void CellModel::add_rows(const Columns& x, const Cells& cells, const SplitCurvature& split, index_t row, index_t rows) {
  const index_t n = x.rows();
  const std::vector<double> ones(rows, 1.0);
  panel_.resize(rows * features_.size());
  bent_.resize(rows * count_);
  x.design.panel(row, rows, features_.data(), static_cast<index_t>(features_.size()), ones.data(), shift_.data(),
                 inverse_.data(), panel_.data());
  char upper = 'U', trans = 'T', plain = 'N';
  double one = 1.0, minus = -1.0;
  int size = static_cast<int>(rows), all = static_cast<int>(count_), wide = static_cast<int>(predictors_),
      far = static_cast<int>(n);
  std::vector<double> weight(rows);
  for (index_t k = 0, at = 0; k < predictors_; ++k) {
    const double* d = split.diagonal + k * n + row;
    total_[k * predictors_ + k] += simd::sum(d, rows);
    for (index_t i = 0; i < rows; ++i) weight[i] = std::sqrt(d[i]);
    index_t own = 0;
    for (; at + own < count_ && cells.predictors[order_[at + own]] == k; ++own) {
      const double* column = panel_.data() + column_[order_[at + own]] * rows;
      double* to = bent_.data() + own * rows;
      for (index_t i = 0; i < rows; ++i) to[i] = weight[i] * column[i];
      crossed_[order_[at + own] * predictors_ + k] += simd::dot(d, column, rows);
    }
    int some = static_cast<int>(own);
    if (own > 0)
      blas().dsyrk(&upper, &trans, &some, &size, &one, bent_.data(), &size, &one, own_[k].data(), &some);
    at += own;
  }
  for (index_t c = 0; c < count_; ++c) {
    const double* column = panel_.data() + column_[c] * rows;
    const double* r = split.root + cells.predictors[c] * n + row;
    double* to = bent_.data() + c * rows;
    for (index_t i = 0; i < rows; ++i) to[i] = r[i] * column[i];
  }
  double* roots = const_cast<double*>(split.root + row);
  if (count_ > 0) {
    blas().dsyrk(&upper, &trans, &all, &size, &minus, bent_.data(), &size, &one, data_.data(), &all);
    blas().dgemm(&trans, &plain, &wide, &all, &size, &minus, roots, &far, bent_.data(), &size, &one, crossed_.data(),
                 &wide);
  }
  blas().dgemm(&trans, &plain, &wide, &wide, &size, &minus, roots, &far, roots, &far, &one, total_.data(), &wide);
}

// What the intercepts take up of the curvature: a Schur complement, small since the columns are nearly centred.
void CellModel::take_intercepts() {
  eigen(total_.data(), predictors_, vectors_, values_);
  std::vector<double> taken(predictors_ * count_);
  for (index_t b = 0; b < count_; ++b)
    solve_eigen(vectors_, values_, crossed_.data() + b * predictors_, taken.data() + b * predictors_);
  char trans = 'T', plain = 'N';
  double one = 1.0, minus = -1.0;
  int all = static_cast<int>(count_), wide = static_cast<int>(predictors_);
  if (count_ > 0)
    blas().dgemm(&trans, &plain, &all, &all, &wide, &minus, crossed_.data(), &wide, taken.data(), &wide, &one,
                 data_.data(), &all);
}

void CellModel::intercepts(const Columns& x, const Cells& cells, const double* move, double* out) const {
  std::fill_n(out, predictors_, 0.0);
  if (!x.centred) return;
  std::vector<double> pull(predictors_, 0.0);
  for (index_t c = 0; c < count_; ++c) simd::axpy(-move[c], crossed_.data() + c * predictors_, pull.data(), predictors_);
  solve_eigen(vectors_, values_, pull.data(), out);
  for (index_t c = 0; c < count_; ++c)
    out[cells.predictors[c]] -= move[c] / x.scale[cells.features[c]] * x.centre[cells.features[c]];
}

}  // namespace bridle
