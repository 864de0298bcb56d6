#include "block_cells.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "block_model.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 256;

}  // namespace

void CellModel::make(const Columns& x, const Cells& cells, index_t predictors, const SplitCurvature& split, index_t every) {
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
    const size_t size = order_.size() - before + 1;
    own_[k].assign(size * size, 0.0);
  }
  bent_.assign((count_ + predictors) * (count_ + predictors), 0.0);
  index_t taken = 0;
  for (index_t row = 0; row < x.rows(); row += kRows * every) {
    const index_t rows = std::min(kRows, x.rows() - row);
    add_rows(x, cells, split, row, rows);
    taken += rows;
  }
  collect(static_cast<double>(x.rows()) / static_cast<double>(taken), x.centred);
}

void CellModel::add_rows(const Columns& x, const Cells& cells, const SplitCurvature& split, index_t row, index_t rows) {
  const index_t n = x.rows();
  const std::vector<double> ones(rows, 1.0);
  panel_.resize(rows * features_.size());
  column_values_.resize(rows);
  x.design.panel(row, rows, features_.data(), static_cast<index_t>(features_.size()), ones.data(), shift_.data(),
                 inverse_.data(), panel_.data());
  const auto set = [&](index_t at, const double* weight, index_t cell) {
    simd::shift_scale(weight, panel_.data() + column_[cell] * rows, 0.0, 1.0, column_values_.data(), rows);
    packed_.set(at, column_values_.data());
  };
  std::vector<double> weight(rows);
  for (index_t k = 0, at = 0; k < predictors_; ++k) {
    const index_t size = own_size(k);
    for (index_t i = 0; i < rows; ++i) weight[i] = std::sqrt(split.diagonal[k * n + row + i]);
    packed_.resize(rows, size);
    for (index_t a = 0; a + 1 < size; ++a) set(a, weight.data(), order_[at + a]);
    packed_.set(size - 1, weight.data());
    packed_.add(0, rows, 0, own_[k].data(), size);
    at += size - 1;
  }
  packed_.resize(rows, count_ + predictors_);
  for (index_t c = 0; c < count_; ++c) set(c, split.root + cells.predictors[c] * n + row, c);
  for (index_t k = 0; k < predictors_; ++k) packed_.set(count_ + k, split.root + k * n + row);
  packed_.add(0, rows, 0, bent_.data(), count_ + predictors_);
}

// The sums over rows become the model; share: rows over those that were read.
void CellModel::collect(double share, bool centred) {
  const index_t wide = count_ + predictors_;
  data_.assign(count_ * count_, 0.0);
  crossed_.assign(count_ * predictors_, 0.0);
  total_.assign(predictors_ * predictors_, 0.0);
  for (index_t b = 0; b < count_; ++b)
    for (index_t a = 0; a <= b; ++a) data_[b * count_ + a] = -share * bent_[b * wide + a];
  for (index_t k = 0; k < predictors_; ++k) {
    const double* column = bent_.data() + (count_ + k) * wide;
    for (index_t c = 0; c < count_; ++c) crossed_[c * predictors_ + k] = -share * column[c];
    for (index_t l = 0; l <= k; ++l)
      total_[k * predictors_ + l] = total_[l * predictors_ + k] = -share * column[count_ + l];
  }
  for (index_t k = 0, at = 0; k < predictors_; ++k) {
    const index_t size = own_size(k), cells = size - 1;
    const double* own = own_[k].data();
    for (index_t b = 0; b < cells; ++b) {
      for (index_t a = 0; a <= b; ++a) {
        const index_t i = std::min(order_[at + a], order_[at + b]), j = std::max(order_[at + a], order_[at + b]);
        data_[j * count_ + i] += share * own[b * size + a];
      }
      crossed_[order_[at + b] * predictors_ + k] += share * own[cells * size + b];
    }
    total_[k * predictors_ + k] += share * own[cells * size + cells];
    at += cells;
  }
  if (centred) take_intercepts();
  for (index_t b = 0; b < count_; ++b)
    for (index_t a = 0; a < b; ++a) data_[a * count_ + b] = data_[b * count_ + a];
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
