#include "shared_gram.hpp"

#include <algorithm>
#include <utility>

namespace bridle {

SharedGram::SharedGram(const Design& design, bool intercept)
    : zeros_(design.columns(), 0.0),
      ones_(design.columns(), 1.0),
      x_{design, zeros_.data(), ones_.data(), intercept},
      place_(design.columns(), -1) {}

void SharedGram::renew(const std::vector<const double*>& weights) {
  const index_t n = x_.rows();
  weights_.assign(n, 0.0);
  for (const double* one : weights) simd::axpy(1.0 / static_cast<double>(weights.size()), one, weights_.data(), n);
  gram_.reset(weights_.data(), n);
  list_.clear();
  std::fill(place_.begin(), place_.end(), -1);
  ++version_;
}

void SharedGram::extend(const std::vector<index_t>& columns) {
  for (index_t j : columns) {
    if (place_[j] >= 0) continue;
    place_[j] = static_cast<index_t>(list_.size());
    list_.push_back(j);
  }
  gram_.extend(x_, list_.data(), static_cast<index_t>(list_.size()));
}

void SharedGram::copy(const std::vector<index_t>& columns, const double* scale, Gram& to) const {
  const size_t count = columns.size();
  std::vector<double> data(count * count), shift(count);
  for (size_t k = 0; k < count; ++k) {
    const double* from = gram_.column(place_[columns[k]]);
    shift[k] = gram_.shift(place_[columns[k]]);
    for (size_t i = 0; i < count; ++i)
      data[k * count + i] = from[place_[columns[i]]] / (scale[columns[k]] * scale[columns[i]]);
  }
  to.assign(std::move(data), std::move(shift), weights_.data(), x_.rows());
}

}  // namespace bridle
