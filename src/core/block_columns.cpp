#include "block_columns.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bridle {
namespace {

constexpr index_t kSpare = 4;  // times as many columns as are needed, which is too many to keep

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
  const index_t n = rows();
  const double one = 1.0;
  x_ = &x;
  if (made_ > kSpare * count) {
    std::vector<Kept> kept(x.design.columns());
    for (index_t j : list_) kept[j] = std::move(kept_[j]);
    kept_.swap(kept);
    made_ = size();
  }
  kept_.resize(x.design.columns());
  for (index_t place = size(); place < count; ++place) {
    const index_t j = list[place];
    Kept& to = kept_[j];
    if (to.column.empty()) {
      to.column.assign(n, x.centred ? -x.centre[j] : 0.0);
      double* column = to.column.data();
      x.design.add(&j, 1, &one, column);
      const double mean = x.centred ? simd::dot(share_.data(), column, n) : 0.0;
      to.shift = x.centred ? x.centre[j] + mean : 0.0;
      for (index_t i = 0; i < n; ++i) column[i] = root_[i] * (column[i] - mean) / x.scale[j];
      to.square = simd::dot(column, column, n);
      ++made_;
    }
    list_.push_back(j);
    columns_.push_back(to.column.data());
  }
}

void BlockColumns::keep(const std::vector<index_t>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    list_[i] = list_[places[i]];
    columns_[i] = columns_[places[i]];
  }
  list_.resize(places.size());
  columns_.resize(places.size());
}

void BlockColumns::start(const double* residual) {
  residual_.resize(rows());
  for (index_t i = 0; i < rows(); ++i) residual_[i] = root_[i] > 0.0 ? residual[i] / root_[i] : 0.0;
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
