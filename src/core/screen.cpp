#include "screen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bridle {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kShare = 0.2;       // of the entries, from which on all are read: a new reference spares later reads
constexpr double kDependent = 1e-7;  // share of a vector that others leave, below which it adds only rounding
constexpr index_t kBlock = 256;      // features whose bounds are made at a time
constexpr index_t kFew = 400;        // columns outside that are read without asking: bounds cost some passes over rows

double norm(const std::vector<double>& v) { return std::sqrt(simd::dot(v.data(), v.data(), v.size())); }

}  // namespace

Screen::Screen(const Problem& problem, const Columns& x)
    : in_(problem), x_(x), root_(x.rows()), length_(x.design.columns()), raw_length_(x.design.columns()) {
  const index_t n = x.rows(), p = x.design.columns();
  for (index_t i = 0; i < n; ++i) root_[i] = in_.w[i] > 0.0 ? 1.0 / std::sqrt(in_.w[i]) : 0.0;
  // Sums run over 32 accumulators at least, sparse ones over one: of at most as many terms as a column has entries.
  double longest = 0.0;
  for (index_t j = 0; j < p; ++j) {
    const double stored = static_cast<double>(x.design.stored(j));
    longest = std::max(longest, stored);
    entries_ += stored;
    raw_length_[j] = std::hypot(in_.deviation[j], in_.mean[j]) / in_.scale[j];
    length_[j] = std::hypot(in_.deviation[j], in_.mean[j] - in_.centre[j]) / in_.scale[j] * (1.0 + 1e-12);
  }
  rounding_ = kEpsilon * (64.0 + (x.design.sparse() ? longest : longest / 16.0));
}

Screen::Whitened Screen::whiten(const double* residual) const {
  Whitened out(root_.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = residual[i] * root_[i];
  return out;
}

void Screen::at(const double* residual) {
  residual_ = residual;
  now_.clear();
}

const Screen::Whitened& Screen::now() {
  if (now_.empty()) {
    now_ = whiten(residual_);
    now_size_ = norm(now_);
  }
  return now_;
}

// Least squares by modified Gram-Schmidt. The bound holds for any q; good ones make it small.
Screen::Fit Screen::fit(const std::vector<const Whitened*>& basis) {
  const index_t n = static_cast<index_t>(now().size());
  const size_t count = basis.size();
  std::vector<Whitened> unit;                                   // orthonormal
  std::array<std::array<double, kReferences>, kReferences> mix{};  // unit_k = sum_i mix[k][i] basis_i
  std::vector<double> size(count);
  Fit out;
  Whitened rest = now_;
  for (size_t k = 0; k < count; ++k) {
    size[k] = norm(*basis[k]);
    Whitened v = *basis[k];
    std::array<double, kReferences> combination{};
    combination[k] = 1.0;
    for (size_t m = 0; m < unit.size(); ++m) {
      const double part = simd::dot(unit[m].data(), v.data(), n);
      simd::axpy(-part, unit[m].data(), v.data(), n);
      for (size_t i = 0; i <= k; ++i) combination[i] -= part * mix[m][i];
    }
    const double left = norm(v);
    if (!(left > kDependent * size[k])) continue;
    for (double& a : v) a /= left;
    for (double& c : combination) c /= left;
    const double part = simd::dot(v.data(), rest.data(), n);
    simd::axpy(-part, v.data(), rest.data(), n);
    for (size_t i = 0; i <= k; ++i) out.q[i] += part * combination[i];
    mix[unit.size()] = combination;
    unit.push_back(std::move(v));
  }
  rest = now_;  // again from the numbers q as they are
  out.size = now_size_;
  for (size_t k = 0; k < count; ++k) {
    simd::axpy(-out.q[k], basis[k]->data(), rest.data(), n);
    out.size += std::abs(out.q[k]) * size[k];
  }
  out.rest = norm(rest) * (1.0 + 1e-12);
  return out;
}

std::vector<index_t> Screen::doubtful(WorkingSet& work, double lam, double reach) {
  std::vector<index_t> out;
  const index_t p = x_.design.columns(), outside = static_cast<index_t>(work.included.size()) - work.size();
  if (outside <= kFew || !(lam * in_.l1_ratio > 0.0) || count_ == 0) {
    for (index_t j : work.included)
      if (!work.contains(j)) out.push_back(j);
    return out;
  }
  std::vector<const Whitened*> all;
  for (int k = 0; k < count_; ++k) all.push_back(&references_[k]);
  const Fit by_references = fit(all);
  std::array<Fit, kVersions> by_version;
  for (int v = std::max(0, version_ - kVersions + 1); v <= version_; ++v) {
    std::vector<const Whitened*> few = {&versions_[v % kVersions], &references_[0]};
    if (newest_ > 0) few.push_back(&references_[newest_]);
    by_version[v % kVersions] = fit(few);
  }
  const double rate[2] = {by_references.rest, rounding_ * by_references.size}, share = lam * in_.l1_ratio;
  const double* known[kReferences];
  for (int k = 0; k < kReferences; ++k) known[k] = slopes_[k].data();
  double excess[kBlock];
  for (index_t from = 0; from < p; from += kBlock) {
    const index_t size = std::min(kBlock, p - from);
    const double* block[kReferences];
    for (int k = 0; k < kReferences; ++k) block[k] = known[k] + from;
    simd::bound4(by_references.q.data(), block, rate, length_.data() + from, raw_length_.data() + from, share,
                 in_.factor + from, reach, work.outside.data() + from, excess, size);
    for (index_t i = 0; i < size; ++i) {
      const index_t j = from + i;
      if (excess[i] <= 0.0 || work.contains(j)) continue;  // an excluded feature has an infinite threshold
      const double threshold = share * in_.factor[j] - reach;
      double away = excess[i] + threshold - std::abs(work.outside[j]);
      if (read_at_[j] >= 0 && read_at_[j] > version_ - kVersions) {
        const Fit& own = by_version[read_at_[j] % kVersions];
        const double bound = length_[j] * own.rest + rounding_ * raw_length_[j] * own.size;
        if (bound < away) {
          away = bound;
          work.outside[j] = own.q[0] * known_[j] + own.q[1] * slopes_[0][j] + own.q[2] * slopes_[newest_][j];
        }
      }
      const bool up = work.outside[j] + away > threshold && in_.upper[j] > 0.0;
      const bool down = away - work.outside[j] > threshold && in_.lower[j] < 0.0;
      if (up || down) out.push_back(j);
    }
  }
  return out;
}

void Screen::know(const std::vector<index_t>& list, const double* products, WorkingSet& work) {
  std::vector<double> slopes(products, products + list.size());
  x_.centre_dots(list.data(), static_cast<index_t>(list.size()), residual_, slopes.data());
  for (size_t i = 0; i < list.size(); ++i) work.outside[list[i]] = slopes[i];
  if (count_ == 0) return;
  if (version_ < 0 || versions_[version_ % kVersions] != now()) versions_[++version_ % kVersions] = now();
  for (size_t i = 0; i < list.size(); ++i) {
    known_[list[i]] = slopes[i];
    read_at_[list[i]] = version_;
  }
}

int Screen::next_place() {
  if (count_ < kReferences) return newest_ = count_++;
  return newest_ = newest_ % (kReferences - 1) + 1;
}

void Screen::refer(const double* residual, const double* slopes) {
  const index_t p = x_.design.columns();
  if (in_.l1_ratio == 0.0 || p <= kFew) return;  // every bound would be in vain
  if (count_ == 0) {
    for (std::vector<double>& slopes : slopes_) slopes.assign(p, 0.0);
    read_at_.assign(p, -1);
    known_.assign(p, 0.0);
  }
  const int place = next_place();
  references_[place] = whiten(residual);
  std::copy_n(slopes, p, slopes_[place].begin());
}

void Screen::know_all(const double* products, WorkingSet& work) {
  std::copy_n(products, x_.design.columns(), work.outside.begin());
  x_.centre_dots(nullptr, x_.design.columns(), residual_, work.outside.data());
  refer(residual_, work.outside.data());
}

bool Screen::nearly_all(const std::vector<index_t>& list) const {
  if (x_.design.reads_all(static_cast<index_t>(list.size()))) return true;
  double entries = 0.0;
  for (index_t j : list) entries += static_cast<double>(x_.design.stored(j));
  return entries > kShare * entries_;
}

}  // namespace bridle
