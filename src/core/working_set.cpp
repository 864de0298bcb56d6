#include "working_set.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bridle {
namespace {

// The features of the `most` smallest keys, ascending.
std::vector<index_t> first(std::vector<std::pair<double, index_t>>& found, index_t most) {
  if (static_cast<index_t>(found.size()) > most) {
    std::nth_element(found.begin(), found.begin() + most, found.end());
    found.resize(most);
  }
  std::vector<index_t> out;
  for (const auto& entry : found) out.push_back(entry.second);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

WorkingSet::WorkingSet(const Problem& problem)
    : outside(problem.design->columns(), 0.0), in_(problem), place_(problem.design->columns(), 0) {
  for (index_t j = 0; j < problem.design->columns(); ++j)
    if (std::isfinite(problem.factor[j])) included.push_back(j);
}

Term WorkingSet::term(index_t j) const {
  const double strength = lam_ * in_.factor[j];
  return {strength * in_.l1_ratio, strength * (1.0 - in_.l1_ratio), in_.lower[j] * in_.scale[j],
          in_.upper[j] * in_.scale[j]};
}

void WorkingSet::set_lambda(double lam) {
  lam_ = lam;
  for (index_t k = 0; k < size(); ++k) terms[k] = term(list[k]);
}

void WorkingSet::add(index_t j) {
  place_[j] = 1;
  list.push_back(j);
  terms.push_back(term(j));
  beta.push_back(0.0);
  slope.push_back(outside[j]);
  curvature.push_back(0.0);
  aim.push_back(0.0);
  miss.push_back(0.0);
}

void WorkingSet::keep(const std::vector<index_t>& places) {
  for (index_t k = 0; k < size(); ++k) {
    place_[list[k]] = 0;
    outside[list[k]] = slope[k];
  }
  for (size_t k = 0; k < places.size(); ++k) {
    const index_t from = places[k];
    list[k] = list[from];
    terms[k] = terms[from];
    beta[k] = beta[from];
    slope[k] = slope[from];
    curvature[k] = curvature[from];
    aim[k] = aim[from];
    miss[k] = miss[from];
    place_[list[k]] = 1;
  }
  list.resize(places.size());
  terms.resize(places.size());
  beta.resize(places.size());
  slope.resize(places.size());
  curvature.resize(places.size());
  aim.resize(places.size());
  miss.resize(places.size());
}

index_t WorkingSet::active() const {
  return std::count_if(beta.begin(), beta.end(), [](double b) { return b != 0.0; });
}

std::vector<index_t> WorkingSet::violators(index_t most) const {
  std::vector<std::pair<double, index_t>> found;
  const double l1 = lam_ * in_.l1_ratio;
  for (index_t j : included) {
    if (place_[j] || std::abs(outside[j]) <= l1 * in_.factor[j]) continue;
    const double excess = term(j).violation(0.0, outside[j]);
    if (excess > 0.0) found.emplace_back(-excess / std::max(in_.factor[j], 1e-300), j);
  }
  return first(found, most);
}

std::vector<index_t> WorkingSet::candidates(index_t most, double share) const {
  std::vector<std::pair<double, index_t>> found;
  if (most <= 0 || lam_ * in_.l1_ratio == 0.0) return {};
  for (index_t j : included) {
    if (place_[j]) continue;
    const Term at = term(j);
    const double size = std::abs(outside[j]);
    if (size > share * at.l1 && at.violation(0.0, outside[j]) == 0.0) found.emplace_back(-size / at.l1, j);
  }
  return first(found, most);
}

}  // namespace bridle
