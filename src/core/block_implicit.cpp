#include "block_implicit.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "conjugate.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 128;

}  // namespace

ImplicitNewton::ImplicitNewton(const Columns& x, const FreeCells& cells, index_t predictors, const double* diagonal,
                               const double* root, double flat)
    : x_(x),
      cells_(cells),
      predictors_(predictors),
      features_(static_cast<index_t>(cells.features.size())),
      diagonal_(diagonal),
      root_(root),
      flat_(x.rows(), 0.0),
      panel_(kRows * cells.features.size()),
      image_(kRows * predictors),
      bent_(kRows * predictors) {
  for (index_t j : cells.features) {
    inverse_.push_back(1.0 / x.scale[j]);
    shift_.push_back(x.centre[j]);
  }
  const index_t n = x.rows();
  for (index_t k = 0; k < predictors; ++k) {
    double total = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const double own = diagonal[k * n + i] - root[k * n + i] * root[k * n + i];
      flat_[i] += own * flat / static_cast<double>(predictors);
      total += own;
    }
    totals_.push_back(total);
  }
}

void ImplicitNewton::prepare(const ModelMatrix& gram, const std::vector<index_t>& places, double total) {
  members_.assign(predictors_, {});
  factors_.assign(predictors_, {});
  std::vector<double> diagonal = cells_.ridge;
  for (const FreeCells::Norm& norm : cells_.norms)
    for (size_t i = 0; i < norm.cells.size(); ++i)
      diagonal[norm.cells[i]] += norm.slope * (1.0 - norm.direction[i] * norm.direction[i]);
  for (index_t k = 0; k < predictors_; ++k) {
    std::vector<index_t>& members = members_[k];
    for (index_t i = 0; i < features_; ++i)
      if (cells_.free[k * features_ + i]) members.push_back(i);
    const index_t m = static_cast<index_t>(members.size());
    const double share = totals_[k] / total;
    std::vector<double>& factor = factors_[k];
    factor.assign(m * m, 0.0);
    double largest = 0.0;
    for (index_t b = 0; b < m; ++b) {
      for (index_t a = 0; a <= b; ++a) factor[b * m + a] = share * gram.at(places[members[a]], places[members[b]]);
      factor[b * m + b] += diagonal[k * features_ + members[b]];
      largest = std::max(largest, factor[b * m + b]);
    }
    for (index_t b = 0; b < m; ++b) factor[b * m + b] += 1e-10 * largest;
    char uplo = 'U';
    int size = static_cast<int>(m), info = 0;
    if (m > 0) blas().dpotrf(&uplo, &size, factor.data(), &size, &info);
    if (info != 0) {  // dependent columns: the diagonal alone
      std::fill(factor.begin(), factor.end(), 0.0);
      for (index_t b = 0; b < m; ++b)
        factor[b * m + b] = std::sqrt(share * gram.at(places[members[b]], places[members[b]]) +
                                      diagonal[k * features_ + members[b]] + 1e-10 * largest);
    }
  }
}

void ImplicitNewton::precondition(const std::vector<double>& r, std::vector<double>& z) const {
  z.assign(r.size(), 0.0);
  for (index_t k = 0; k < predictors_; ++k) {
    const std::vector<index_t>& members = members_[k];
    const index_t m = static_cast<index_t>(members.size());
    std::vector<double> v(m);
    const double* factor = factors_[k].data();
    for (index_t i = 0; i < m; ++i)
      v[i] = (r[k * features_ + members[i]] - simd::dot(factor + i * m, v.data(), i)) / factor[i * m + i];
    for (index_t i = m - 1; i >= 0; --i) {
      v[i] /= factor[i * m + i];
      simd::axpy(-v[i], factor + i * m, v.data(), i);
    }
    for (index_t i = 0; i < m; ++i) z[k * features_ + members[i]] = v[i];
    const index_t at = features_ * predictors_ + k;
    if (x_.centred && totals_[k] > 0.0) z[at] = r[at] / totals_[k];
  }
}

// out = (Hessian of loss and penalty) v, in the free cells
void ImplicitNewton::apply(const std::vector<double>& v, std::vector<double>& out) {
  const index_t n = x_.rows(), cells = features_ * predictors_;
  out.assign(v.size(), 0.0);
  const std::vector<double> ones(kRows, 1.0);
  for (index_t row = 0; row < n; row += kRows) {
    const index_t count = std::min(kRows, n - row);
    x_.design.panel(row, count, cells_.features.data(), features_, ones.data(), shift_.data(), inverse_.data(),
                    panel_.data());
    rows(panel_.data(), row, count, v, out);
  }
  for (index_t c = 0; c < cells; ++c) out[c] = cells_.free[c] ? out[c] + cells_.ridge[c] * v[c] : 0.0;
  for (const FreeCells::Norm& norm : cells_.norms) {
    double along = 0.0;
    for (size_t i = 0; i < norm.cells.size(); ++i) along += norm.direction[i] * v[norm.cells[i]];
    for (size_t i = 0; i < norm.cells.size(); ++i)
      out[norm.cells[i]] += norm.slope * (v[norm.cells[i]] - along * norm.direction[i]);
  }
}

// out += X~'W (X~ v + intercepts) over some rows
void ImplicitNewton::rows(const double* panel, index_t row, index_t rows, const std::vector<double>& v,
                          std::vector<double>& out) {
  const index_t n = x_.rows(), cells = features_ * predictors_;
  char plain = 'N', trans = 'T';
  double one = 1.0;
  int m = static_cast<int>(rows), f = static_cast<int>(features_), k = static_cast<int>(predictors_);
  for (index_t l = 0; l < predictors_; ++l)
    std::fill_n(image_.begin() + l * rows, rows, x_.centred ? v[cells + l] : 0.0);
  double* all = const_cast<double*>(panel);
  blas().dgemm(&plain, &plain, &m, &k, &f, &one, all, &m, const_cast<double*>(v.data()), &f, &one, image_.data(), &m);
  std::vector<double> along(rows, 0.0), sum(rows, 0.0);  // r'u, and 1'u times what it's bent by
  for (index_t l = 0; l < predictors_; ++l) {
    const double* r = root_ + l * n + row;
    const double* u = image_.data() + l * rows;
    for (index_t i = 0; i < rows; ++i) {
      along[i] += r[i] * u[i];
      sum[i] += u[i];
    }
  }
  for (index_t i = 0; i < rows; ++i) sum[i] *= flat_[row + i];
  for (index_t l = 0; l < predictors_; ++l) {
    const double* d = diagonal_ + l * n + row;
    const double* r = root_ + l * n + row;
    const double* u = image_.data() + l * rows;
    double* to = bent_.data() + l * rows;
    for (index_t i = 0; i < rows; ++i) to[i] = d[i] * u[i] - r[i] * along[i] + sum[i];
  }
  blas().dgemm(&trans, &plain, &f, &k, &m, &one, all, &m, bent_.data(), &m, &one, out.data(), &f);
  if (x_.centred)
    for (index_t l = 0; l < predictors_; ++l) out[cells + l] += simd::sum(bent_.data() + l * rows, rows);
}

void ImplicitNewton::solve(double share, double enough, std::vector<double>& step, std::vector<double>& intercepts) {
  const index_t cells = features_ * predictors_, size = cells + predictors_;
  std::vector<double> x, r = cells_.gradient;
  r.resize(size, 0.0);  // intercepts are at their best
  conjugate_gradients(
      x, r, kMost, [&](const auto& from, auto& z) { precondition(from, z); },
      [&](const auto& along, auto& image) { apply(along, image); },
      [&](const auto&, double now, double first) { return !(now > std::max(share * first, enough)); });
  step.assign(x.begin(), x.begin() + cells);
  intercepts.assign(x.begin() + cells, x.end());
}

}  // namespace bridle
