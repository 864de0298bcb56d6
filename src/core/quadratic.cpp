#include "quadratic.hpp"

#include <algorithm>

namespace bridle {

void GramQuadratic::move_all(const std::vector<double>& deltas) {
  std::vector<index_t> moved;
  std::vector<double> steps;
  for (index_t k = 0; k < size(); ++k) {
    if (deltas[k] == 0.0) continue;
    moved.push_back(k);
    steps.push_back(deltas[k]);
  }
  gram_.subtract(moved, steps.data(), slope_.data());
}

ColumnQuadratic::ColumnQuadratic(const Columns& x, const std::vector<index_t>& list, const double* residual,
                                 const double* weights, const PackedRows* rows, const Curvature* coupling)
    : x_(x), list_(list), weights_(weights), rows_(rows), coupling_(coupling), residual_(residual, residual + x.rows()) {
  const index_t n = x.rows(), k = size();
  total_ = simd::sum(weights, n);
  shift_.assign(k, 0.0);
  if (x.centred && total_ > 0.0) {
    x.design.dots(list.data(), k, weights, shift_.data());
    for (double& s : shift_) s /= total_;
  }
}

void ColumnQuadratic::measure() {
  curvature_.resize(size());
  for (index_t i = 0; i < size(); ++i) {
    const double s = x_.scale[list_[i]];
    curvature_[i] = x_.design.square(list_[i], weights_, total_, shift_[i]) / (s * s);
  }
}

double ColumnQuadratic::slope(index_t k) const {
  double out;
  x_.design.dots(&list_[k], 1, residual_.data(), &out);
  return (out - offset_ * shift_[k] * total_) / x_.scale[list_[k]];
}

void ColumnQuadratic::move(index_t k, double delta) {
  const double step = delta / x_.scale[list_[k]];
  x_.design.add_weighted(list_[k], -step, weights_, residual_.data());
  offset_ -= step * shift_[k];
}

void ColumnQuadratic::slopes(const std::vector<index_t>& list, double* out) const {
  const index_t count = static_cast<index_t>(list.size());
  std::vector<index_t> columns(count);
  for (index_t i = 0; i < count; ++i) columns[i] = list_[list[i]];
  x_.design.dots(columns.data(), count, residual_.data(), out);
  for (index_t i = 0; i < count; ++i) out[i] = (out[i] - offset_ * shift_[list[i]] * total_) / x_.scale[columns[i]];
}

double ColumnQuadratic::image(const std::vector<index_t>& list, const double* deltas) {
  const index_t count = static_cast<index_t>(list.size());
  std::vector<index_t> columns(count);
  std::vector<double> coef(count);
  double level = 0.0;
  for (index_t i = 0; i < count; ++i) {
    columns[i] = list_[list[i]];
    coef[i] = deltas[i] / x_.scale[columns[i]];
    level += coef[i] * shift_[list[i]];
  }
  image_.assign(x_.rows(), 0.0);
  x_.design.add(columns.data(), count, coef.data(), image_.data());
  return level;
}

void ColumnQuadratic::product(const std::vector<index_t>& list, const double* deltas, double* out) {
  const index_t n = x_.rows(), count = static_cast<index_t>(list.size());
  if (rows_ && !coupling_) {
    double level = 0.0;
    step_.assign(size(), 0.0);
    change_.assign(size(), 0.0);
    for (index_t i = 0; i < count; ++i) {
      step_[list[i]] = deltas[i] / x_.scale[list_[list[i]]];
      level += step_[list[i]] * shift_[list[i]];
    }
    rows_->product(weights_, level, step_.data(), change_.data());
    for (index_t i = 0; i < count; ++i) out[i] = change_[list[i]] / x_.scale[list_[list[i]]];
    return;
  }
  const double level = image(list, deltas);
  for (index_t i = 0; i < n; ++i) image_[i] -= level;
  if (coupling_) {
    bent_.resize(n);
    coupling_->times(image_.data(), bent_.data());
    image_.swap(bent_);
  } else {
    for (index_t i = 0; i < n; ++i) image_[i] *= weights_[i];
  }
  std::vector<index_t> columns(count);
  for (index_t i = 0; i < count; ++i) columns[i] = list_[list[i]];
  x_.design.dots(columns.data(), count, image_.data(), out);
  for (index_t i = 0; i < count; ++i) out[i] /= x_.scale[columns[i]];  // image_ sums to 0 where columns are centred
}

void ColumnQuadratic::move_all(const std::vector<index_t>& list, const double* deltas) {
  const double level = image(list, deltas);
  for (index_t i = 0; i < x_.rows(); ++i) residual_[i] -= weights_[i] * image_[i];
  offset_ -= level;
}

}  // namespace bridle
