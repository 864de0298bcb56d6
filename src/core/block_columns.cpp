#include "block_columns.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bridle {
namespace {

constexpr index_t kPanel = 64;  // columns that are copied at a time: rows that lie side by side are read once
constexpr index_t kSpare = 4;   // times as many columns as are needed, which is too many to keep

}  // namespace

void BlockColumns::reset(const double* weights, index_t n) {
  root_.resize(n);
  share_.assign(weights, weights + n);
  const double total = simd::sum(weights, n);
  for (index_t i = 0; i < n; ++i) {
    root_[i] = std::sqrt(weights[i]);
    share_[i] = total > 0.0 ? share_[i] / total : 0.0;
  }
  list_.clear();
  columns_.clear();
  kept_.clear();
  made_ = 0;
}

void BlockColumns::extend(const Columns& x, const index_t* list, index_t count) {
  x_ = &x;
  if (made_ > kSpare * count) {
    std::vector<Kept> kept(x.design.columns());
    for (index_t j : list_) kept[j] = std::move(kept_[j]);
    kept_.swap(kept);
    made_ = size();
  }
  kept_.resize(x.design.columns());
  features_.clear();
  for (index_t place = size(); place < count; ++place)
    if (kept_[list[place]].column.empty()) features_.push_back(list[place]);
  make(features_);
  for (index_t place = size(); place < count; ++place) {
    list_.push_back(list[place]);
    columns_.push_back(kept_[list[place]].column.data());
  }
}

void BlockColumns::make(const std::vector<index_t>& list) {
  const index_t n = rows(), count = static_cast<index_t>(list.size());
  const std::vector<double> ones(std::max(n, kPanel), 1.0);
  std::vector<double> panel(n * std::min(kPanel, count)), shift(kPanel);
  for (index_t from = 0; from < count; from += kPanel) {
    const index_t size = std::min(kPanel, count - from);
    for (index_t c = 0; c < size; ++c) shift[c] = x_->centred ? x_->centre[list[from + c]] : 0.0;
    x_->design.panel(0, n, list.data() + from, size, ones.data(), shift.data(), ones.data(), panel.data());
    for (index_t c = 0; c < size; ++c) {
      const index_t j = list[from + c];
      const double* column = panel.data() + c * n;
      Kept& to = kept_[j];
      const double mean = x_->centred ? simd::dot(share_.data(), column, n) : 0.0;
      to.column.resize(n);
      for (index_t i = 0; i < n; ++i) to.column[i] = root_[i] * (column[i] - mean) / x_->scale[j];
      to.shift = x_->centred ? x_->centre[j] + mean : 0.0;
      to.square = simd::dot(to.column.data(), to.column.data(), n);
    }
  }
  made_ += count;
}

void BlockColumns::keep(const std::vector<index_t>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    list_[i] = list_[places[i]];
    columns_[i] = columns_[places[i]];
  }
  list_.resize(places.size());
  columns_.resize(places.size());
}

void BlockColumns::start(const double* residual, index_t predictors) {
  residual_.resize(rows() * predictors);
  for (double* to = residual_.data(); predictors > 0; --predictors, residual += rows(), to += rows())
    for (index_t i = 0; i < rows(); ++i) to[i] = root_[i] > 0.0 ? residual[i] / root_[i] : 0.0;
}

void BlockColumns::times(const std::vector<index_t>& positions, const double* v, std::vector<double>& out) const {
  features_.clear();
  held_.clear();
  double constant = 0.0;
  for (size_t i = 0; i < positions.size(); ++i) {
    features_.push_back(list_[positions[i]]);
    held_.push_back(v[i] / x_->scale[features_.back()]);
    constant += held_.back() * shift(positions[i]);
  }
  out.assign(rows(), 0.0);
  x_->design.add(features_.data(), static_cast<index_t>(features_.size()), held_.data(), out.data());
  for (index_t i = 0; i < rows(); ++i) out[i] = root_[i] * (out[i] - constant);
}

void BlockColumns::dots(const std::vector<index_t>& positions, const std::vector<double>& u, double* out) const {
  features_.clear();
  for (index_t position : positions) features_.push_back(list_[position]);
  held_.resize(rows());
  for (index_t i = 0; i < rows(); ++i) held_[i] = root_[i] * u[i];
  const double total = simd::sum(held_.data(), rows());
  x_->design.dots(features_.data(), static_cast<index_t>(features_.size()), held_.data(), out);
  for (size_t i = 0; i < positions.size(); ++i)
    out[i] = (out[i] - shift(positions[i]) * total) / x_->scale[features_[i]];
}

void column_dots(const double* const* columns, index_t count, const double* v, index_t n, double* out) {
  std::fill_n(out, count, 0.0);
  index_t c = 0;
  for (; c + 4 <= count; c += 4) simd::dot4(columns + c, v, n, out + c);
  for (; c < count; ++c) out[c] = simd::dot(columns[c], v, n);
}

void column_add(const double* const* columns, index_t count, const double* coef, double* v, index_t n) {
  index_t c = 0;
  for (; c + 4 <= count; c += 4) simd::axpy4(coef + c, columns + c, v, n);
  for (; c < count; ++c) simd::axpy(coef[c], columns[c], v, n);
}

}  // namespace bridle
