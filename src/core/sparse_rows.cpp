#include "sparse_rows.hpp"

#include <algorithm>

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

void PackedRows::read(const Design& design, const std::vector<index_t>& list) {
  if (list == list_) return;
  list_ = list;
  std::vector<std::vector<std::int32_t>> places(list.size());
  std::vector<double> values;
  starts_.assign(design.rows() + 1, 0);
  for (size_t k = 0; k < list.size(); ++k) {
    places[k].resize(design.stored(list[k]));
    values.resize(std::max(values.size(), places[k].size()));
    design.entries(list[k], places[k].data(), values.data());
    for (std::int32_t i : places[k]) ++starts_[i + 1];
  }
  for (size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
  entries_.resize(starts_.back());
  std::vector<index_t> next(starts_.begin(), starts_.end() - 1);
  for (size_t k = 0; k < list.size(); ++k) {
    design.entries(list[k], places[k].data(), values.data());
    for (size_t e = 0; e < places[k].size(); ++e)
      entries_[next[places[k][e]]++] = {static_cast<float>(values[e]), static_cast<std::int32_t>(k)};
  }
}

void PackedRows::product(const double* w, double level, const double* v, double* out) const {
  const index_t n = static_cast<index_t>(starts_.size()) - 1;
  for (index_t i = 0; i < n; ++i) {
    const Entry *from = entries_.data() + starts_[i], *to = entries_.data() + starts_[i + 1], *e = from;
    double sum[4] = {-level, 0.0, 0.0, 0.0};
    for (; e + 4 <= to; e += 4)
      for (int k = 0; k < 4; ++k) sum[k] += static_cast<double>(e[k].value) * v[e[k].place];
    for (; e < to; ++e) sum[0] += static_cast<double>(e->value) * v[e->place];
    const double slope = w[i] * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (e = from; e < to; ++e) out[e->place] += slope * static_cast<double>(e->value);
  }
}

}  // namespace bridle
