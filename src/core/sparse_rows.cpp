#include "sparse_rows.hpp"

namespace bridle {

void SparseRows::read(const Design& design, index_t j) {
  places_.resize(design.stored(j));
  values_.resize(places_.size());
  design.entries(j, places_.data(), values_.data());
}

index_t SparseRows::number(const Design& design, index_t j) {
  if (rows_.empty()) {
    rows_.resize(design.rows());
    number_.assign(design.columns(), -1);
  }
  if (number_[j] >= 0) return number_[j];
  const std::int32_t number = static_cast<std::int32_t>(size());
  read(design, j);
  for (size_t e = 0; e < places_.size(); ++e) rows_[places_[e]].push_back({values_[e], number});
  columns_.push_back(j);
  return number_[j] = number;
}

void SparseRows::products(const Design& design, index_t j, const double* w, bool earlier, double* out) {
  const std::int32_t own = earlier ? number_[j] : static_cast<std::int32_t>(size());
  read(design, j);
  for (size_t e = 0; e < places_.size(); ++e) {
    const double a = w[places_[e]] * values_[e];
    if (a == 0.0) continue;
    for (const Entry& entry : rows_[places_[e]]) {
      if (entry.number > own) break;
      out[entry.number] += a * entry.value;
    }
  }
}

}  // namespace bridle
