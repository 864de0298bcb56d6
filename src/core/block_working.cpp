// The working set of the block solver: which groups take part, and how their coefficients lie.
#include <algorithm>
#include <cmath>
#include <utility>

#include "block_solver.hpp"

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kShort = 0.5;

}  // namespace

// Groups at 0 whose slopes aren't near their threshold leave: the model's matrix and its descent stay small.
void BlockSolver::shrink(double reach) {
  std::vector<index_t> kept;
  std::vector<index_t> places;
  index_t at = 0;
  for (index_t g : here_) {
    const index_t m = members(g);
    bool on = term(g, lam_).free();
    for (index_t k = 0; k < predictors_; ++k)
      for (index_t i = at; i < at + m; ++i) on = on || beta_[k * working() + i] != 0.0;
    if (on || excess_outside(g, reach) > 0.0) {
      kept.push_back(g);
      for (index_t i = at; i < at + m; ++i) places.push_back(i);
    } else {
      inside_[g] = 0;
    }
    at += m;
  }
  if (kept.size() == here_.size()) return;
  const index_t before = working(), after = static_cast<index_t>(places.size());
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < after; ++i) {
      beta_[k * after + i] = beta_[k * before + places[i]];  // ascending: nothing is overwritten before it is read
      slope_[k * after + i] = slope_[k * before + places[i]];
    }
  for (index_t i = 0; i < after; ++i) list_[i] = list_[places[i]];
  beta_.resize(after * predictors_);
  slope_.resize(after * predictors_);
  here_.swap(kept);
  list_.resize(after);
  if (model_.empty()) return;
  const auto known = std::lower_bound(places.begin(), places.end(), model_.features());  // others have come since
  places.erase(known, places.end());
  std::vector<index_t> sizes;
  index_t total = 0;
  for (index_t g : here_)
    if ((total += members(g)) <= static_cast<index_t>(places.size())) sizes.push_back(members(g));
  model_.keep(places, sizes);
}

// Groups of which so many coefficients aren't 0 that the model's columns are hardly longer than its matrix's.
bool BlockSolver::wants_no_matrix() const {
  const bool wide = in_.design->columns() > n_;  // else responses share a matrix that is no larger than the columns
  const bool apart = predictors_ == 1 || (in_.joint && !meet_ && wide && !in_.design->sparse());
  return apart && !in_.loss->coupled() && in_.shape == Shape::lasso && groups_.largest() * predictors_ > 1 &&
         static_cast<double>(active_features()) > kShort * static_cast<double>(n_);
}

double BlockSolver::excess_outside(index_t group, double lam) const {
  const BlockTerm at = term(group, lam);
  double worst = 0.0;
  const index_t width = in_.joint ? predictors_ : 1;
  for (index_t first = 0; first < predictors_; first += width) {
    outside_block(group, first, first + width, held_.data());
    worst = std::max(worst, at.excess(held_.data(), members(group) * width));
  }
  return worst;
}

bool BlockSolver::grow(double lam) {
  std::vector<std::pair<double, index_t>> found;
  for (index_t g = 0; g < in_.groups; ++g) {
    if (inside_[g] || members(g) == 0) continue;
    const bool always = lam_ * in_.l1_ratio == 0.0 || !groups_.penalised(g);
    const double excess = always ? kInfinity : excess_outside(g, lam);
    if (always)
      found.emplace_back(-kInfinity, g);
    else if (excess > 0.0)
      found.emplace_back(-excess / groups_.weight(g), g);
  }
  if (found.empty()) return false;
  std::sort(found.begin(), found.end());
  const index_t room = std::max<index_t>(100, 2 * active_features());
  index_t taken = 0;
  for (const auto& each : found) {
    if (taken >= room && !std::isinf(each.first)) break;
    add(each.second);
    taken += members(each.second);
  }
  lay_out();
  return true;
}

void BlockSolver::add(index_t group) {
  const index_t before = working(), m = members(group);
  inside_[group] = 1;
  here_.push_back(group);
  list_.insert(list_.end(), groups_.begin(group), groups_.end(group));
  std::vector<double> beta(working() * predictors_, 0.0), slope(working() * predictors_);
  for (index_t k = 0; k < predictors_; ++k) {
    std::copy_n(beta_.data() + k * before, before, beta.data() + k * working());
    std::copy_n(slope_.data() + k * before, before, slope.data() + k * working());
    for (index_t i = 0; i < m; ++i) slope[k * working() + before + i] = outside_[k * p_ + list_[before + i]];
  }
  beta_.swap(beta);
  slope_.swap(slope);
}

void BlockSolver::resume(double lam, const std::vector<double>& beta, double b0) {
  std::vector<double> kept, coef;
  for (index_t g = 0, at = 0; g < groups_.count(); at += members(g), ++g)
    if (std::any_of(beta.begin() + at, beta.begin() + at + members(g), [](double b) { return b != 0.0; })) {
      add(g);
      kept.insert(kept.end(), beta.begin() + at, beta.begin() + at + members(g));
    }
  beta_ = kept;
  for (index_t i = 0; i < working(); ++i) coef.push_back(beta_[i] / in_.scale[list_[i]]);
  b0_[0] = b0;
  for (index_t i = 0; i < n_; ++i) eta_[i] = in_.offset[i] + b0;
  in_.design->add(list_.data(), working(), coef.data(), eta_.data());
  lam_ = lam;
  first_ = false;
  lay_out();
  look();
  look_outside();
}

void BlockSolver::lay_out() {
  blocks_.clear();
  index_t at = 0;
  const index_t width = in_.joint ? predictors_ : 1;
  for (index_t g : here_) {
    for (index_t first = 0; first < predictors_; first += width)
      blocks_.push_back({at, members(g), first, first + width, term(g, lam_)});
    at += members(g);
  }
}

std::vector<index_t> BlockSolver::sizes() const {
  std::vector<index_t> out;
  for (index_t g : here_) out.push_back(members(g));
  return out;
}

index_t BlockSolver::active_features() const {
  index_t count = 0;
  for (index_t i = 0; i < working(); ++i) {
    bool on = false;
    for (index_t k = 0; k < predictors_; ++k) on = on || beta_[k * working() + i] != 0.0;
    count += on;
  }
  return count;
}

void BlockSolver::gather(const Block& block, const std::vector<double>& from, double* to) const {
  for (index_t k = block.first; k < block.last; ++k, to += block.size)
    std::copy_n(from.data() + k * working() + block.from, block.size, to);
}

void BlockSolver::outside_block(index_t group, index_t first, index_t last, double* to) const {
  for (index_t k = first; k < last; ++k)
    for (const index_t* j = groups_.begin(group); j != groups_.end(group); ++j) *to++ = outside_[k * p_ + *j];
}

}  // namespace bridle
