#include "factor.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"

namespace bridle {
namespace {

constexpr double kDependent = 1e-13;  // a pivot below this share of its diagonal is rounding error
constexpr index_t kBlocked = 8;     // from here LAPACK's blocked factorisation is the faster start

}  // namespace

bool ActiveFactor::stale(const Gram& gram, const std::vector<Term>& terms) const {
  if (version_ != gram.version()) return true;
  for (size_t i = 0; i < members_.size(); ++i)
    if (ridge_[i] != terms[members_[i]].ridge) return true;
  return members_.empty();
}

void ActiveFactor::sync(const Gram& gram, const std::vector<Term>& terms, const std::vector<index_t>& wanted) {
  if (stale(gram, terms)) {
    members_.clear();
    ridge_.clear();
    version_ = gram.version();
  }
  parked_.clear();
  std::vector<char> state(gram.size(), 0);  // 1: wanted, 2: wanted and there
  for (index_t k : wanted) state[k] = 1;
  index_t leaving = 0;
  for (index_t k : members_) leaving += state[k] == 0;
  if (2 * leaving > static_cast<index_t>(members_.size())) {
    members_.clear();
    ridge_.clear();
  }
  for (index_t i = static_cast<index_t>(members_.size()) - 1; i >= 0; --i) {
    if (state[members_[i]] == 0)
      remove(i);
    else
      state[members_[i]] = 2;
  }
  if (members_.empty() && static_cast<index_t>(wanted.size()) >= kBlocked && build(gram, terms, wanted)) return;
  for (index_t k : wanted)
    if (state[k] == 1 && !append(gram, terms, k)) parked_.push_back(k);
}

void ActiveFactor::reserve(index_t count) {
  if (count <= ld_) return;
  const index_t ld = std::max<index_t>(count, 2 * ld_);
  std::vector<double> grown(ld * ld);
  for (index_t i = 0; i < static_cast<index_t>(members_.size()); ++i) std::copy_n(row(i), i + 1, grown.data() + i * ld);
  lower_.swap(grown);
  ld_ = ld;
}

bool ActiveFactor::build(const Gram& gram, const std::vector<Term>& terms, const std::vector<index_t>& wanted) {
  int n = static_cast<int>(wanted.size()), info = 0;
  reserve(n);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k <= i; ++k) row(i)[k] = entry(gram, terms, wanted[k], wanted[i]);
  int ld = static_cast<int>(ld_);
  char upper = 'U';  // the upper triangle by columns is the lower one by rows
  blas().dpotrf(&upper, &n, lower_.data(), &ld, &info);
  if (info != 0) return false;
  for (int i = 0; i < n; ++i)
    if (!(row(i)[i] * row(i)[i] > kDependent * entry(gram, terms, wanted[i], wanted[i]))) return false;
  members_ = wanted;
  ridge_.resize(n);
  for (int i = 0; i < n; ++i) ridge_[i] = terms[wanted[i]].ridge;
  return true;
}

bool ActiveFactor::append(const Gram& gram, const std::vector<Term>& terms, index_t k) {
  const index_t m = static_cast<index_t>(members_.size());
  reserve(m + 1);
  double* l = row(m);
  const double* h = gram.column(k);
  const double diagonal = entry(gram, terms, k, k);
  double pivot = diagonal;
  for (index_t i = 0; i < m; ++i) {
    l[i] = (h[members_[i]] - simd::dot(row(i), l, i)) / row(i)[i];
    pivot -= l[i] * l[i];
  }
  if (!(pivot > kDependent * diagonal)) return false;
  l[m] = std::sqrt(pivot);
  members_.push_back(k);
  ridge_.push_back(terms[k].ridge);
  return true;
}

// Drop one row; Givens rotations of neighbouring columns make the rest triangular again.
void ActiveFactor::remove(index_t place) {
  const index_t m = static_cast<index_t>(members_.size());
  for (index_t i = place + 1; i < m; ++i) std::copy_n(row(i), i + 1, row(i - 1));
  members_.erase(members_.begin() + place);
  ridge_.erase(ridge_.begin() + place);
  for (index_t c = place; c < m - 1; ++c) {
    const double a = row(c)[c], b = row(c)[c + 1], r = std::hypot(a, b);
    const double cos = a / r, sin = b / r;
    for (index_t i = c; i < m - 1; ++i) {
      double* at = row(i) + c;
      const double left = at[0], right = at[1];
      at[0] = cos * left + sin * right;
      at[1] = cos * right - sin * left;
    }
    row(c)[c] = r;
  }
}

void ActiveFactor::solve(double* x) const {
  solve_lower(x);
  solve_upper(x);
}

void ActiveFactor::solve_lower(double* x, index_t from) const {
  const index_t m = static_cast<index_t>(members_.size());
  for (index_t i = from; i < m; ++i) x[i] = (x[i] - simd::dot(row(i), x, i)) / row(i)[i];
}

void ActiveFactor::solve_upper(double* x) const {
  const index_t m = static_cast<index_t>(members_.size());
  for (index_t i = m - 1; i >= 0; --i) {
    x[i] /= row(i)[i];
    simd::axpy(-x[i], row(i), x, i);
  }
}

}  // namespace bridle
