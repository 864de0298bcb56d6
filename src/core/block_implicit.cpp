#include "block_implicit.hpp"

#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "conjugate.hpp"
#include "panels.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 128;
constexpr double kJitter = 1e-10;       // of the largest diagonal
constexpr double kNormProducts = 300.0;  // products that a better preconditioner for norms may cost
constexpr index_t kHeld = 16'000'000;    // entries of copied columns that are kept for the next product
constexpr index_t kFactored = 500;      // sparse features, above which products with them cost less than their factor
constexpr double kFarOff = 1e4;         // deviations from 0 from which on columns are centred before their products

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
      sparse_(x.design.sparse()),
      image_((sparse_ ? x.rows() : kRows) * predictors),
      bent_(image_.size()) {
  for (index_t j : cells.features) {
    inverse_.push_back(1.0 / x.scale[j]);
    shift_.push_back(x.centre[j]);
    raw_ = raw_ && std::abs(shift_.back()) * inverse_.back() < kFarOff;
  }
  panel_shift_.assign(features_, 0.0);
  panel_inverse_.assign(features_, 1.0);
  if (!raw_ && !sparse_) {
    panel_shift_.swap(shift_);
    panel_inverse_.swap(inverse_);
  }
  const index_t n = x.rows();
  lies_ = raw_ && features_ > 0 && lying(x.design, cells.features[0]) != nullptr;
  held_ = !sparse_ && !lies_ && n * features_ <= kHeld;
  panel_.resize(lies_ || sparse_ ? 0 : (held_ ? n : kRows) * features_);
  if (held_)
    for (index_t row = 0; row < n; row += kRows) copy_rows(row, std::min(kRows, n - row), panel_.data() + row * features_);
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

void ImplicitNewton::copy_rows(index_t row, index_t rows, double* to) const {
  const std::vector<double> ones(rows, 1.0);
  x_.design.panel(row, rows, cells_.features.data(), features_, ones.data(), panel_shift_.data(), panel_inverse_.data(), to);
}

void ImplicitNewton::prepare(const ModelMatrix& gram, const std::vector<index_t>& places, double total) {
  members_.assign(predictors_, {});
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < features_; ++i)
      if (cells_.free[k * features_ + i]) members_[k].push_back(i);
  std::vector<double> diagonal = cells_.ridge;  // what is concave doesn't precondition
  for (double& each : diagonal) each = std::max(0.0, each);
  for (const FreeCells::Norm& norm : cells_.norms)
    for (index_t cell : norm.cells) diagonal[cell] += norm.slope;
  const bool whole = !alone() && norms_pay() && factor(gram, places, total, diagonal) && factor_norms();
  if (whole) return;
  norms_.clear();
  for (const FreeCells::Norm& norm : cells_.norms)
    for (size_t i = 0; i < norm.cells.size(); ++i)
      diagonal[norm.cells[i]] -= norm.slope * norm.direction[i] * norm.direction[i];
  factor(gram, places, total, diagonal);
}

// Of each predictor its share of the Gram matrix, with this diagonal; false where columns depend: the diagonal alone then.
bool ImplicitNewton::factor(const ModelMatrix& gram, const std::vector<index_t>& places, double total,
                            const std::vector<double>& diagonal) {
  factors_.assign(predictors_, {});
  if (alone()) {
    single_.clear();
    for (index_t k = 0; k < predictors_; ++k)
      for (index_t i = 0; i < features_; ++i)
        single_.push_back(totals_[k] / total * gram.at(places[i], places[i]) + diagonal[k * features_ + i]);
    return true;
  }
  bool whole = true;
  for (index_t k = 0; k < predictors_; ++k) {
    const std::vector<index_t>& members = members_[k];
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
    for (index_t b = 0; b < m; ++b) factor[b * m + b] += kJitter * largest;
    char uplo = 'U';
    int size = static_cast<int>(m), info = 0;
    if (m > 0) blas().dpotrf(&uplo, &size, factor.data(), &size, &info);
    if (info == 0) continue;
    whole = false;
    std::fill(factor.begin(), factor.end(), 0.0);
    for (index_t b = 0; b < m; ++b)
      factor[b * m + b] = std::sqrt(share * gram.at(places[members[b]], places[members[b]]) +
                                    diagonal[k * features_ + members[b]] + kJitter * largest);
  }
  return whole;
}

bool ImplicitNewton::alone() const { return sparse_ && features_ > kFactored; }

// Whether to take in that a norm has no curvature along its coefficients: few products cost as much.
bool ImplicitNewton::norms_pay() const {
  const double m = static_cast<double>(features_), q = static_cast<double>(cells_.norms.size()),
               n = static_cast<double>(x_.rows());
  return q > 0.0 && q * (m + q) < kNormProducts * 4.0 * n;
}

// P = P_0 - U diag(slope) U', the directions d of norms side by side: by Woodbury's identity its inverse takes the factor of
// diag(1 / slope) - U'P_0^-1 U. False where rounding has made that indefinite.
bool ImplicitNewton::factor_norms() {
  const index_t q = static_cast<index_t>(cells_.norms.size());
  norms_.assign(q * q, 0.0);
  char upper = 'U', trans = 'T', plain = 'N', left = 'L';
  double one = 1.0, minus = -1.0;
  int size = static_cast<int>(q), info = 0;
  std::vector<index_t> at(features_);
  for (index_t k = 0; k < predictors_; ++k) {
    const index_t m = static_cast<index_t>(members_[k].size());
    for (index_t i = 0; i < m; ++i) at[members_[k][i]] = i;
    std::vector<double> spread(m * q, 0.0);
    for (index_t g = 0; g < q; ++g)
      for (size_t i = 0; i < cells_.norms[g].cells.size(); ++i)
        if (cells_.norms[g].cells[i] / features_ == k)
          spread[g * m + at[cells_.norms[g].cells[i] % features_]] = cells_.norms[g].direction[i];
    int rows = static_cast<int>(m);
    if (m == 0) continue;
    blas().dtrsm(&left, &upper, &trans, &plain, &rows, &size, &one, factors_[k].data(), &rows, spread.data(), &rows);
    blas().dsyrk(&upper, &trans, &size, &rows, &minus, spread.data(), &rows, &one, norms_.data(), &size);
  }
  for (index_t g = 0; g < q; ++g) norms_[g * q + g] += 1.0 / cells_.norms[g].slope;
  blas().dpotrf(&upper, &size, norms_.data(), &size, &info);
  return info == 0;
}

// v = P_0^-1 v in the cells
void ImplicitNewton::solve_classes(std::vector<double>& v) const {
  if (alone()) {
    for (size_t c = 0; c < single_.size(); ++c) v[c] = single_[c] > 0.0 ? v[c] / single_[c] : 0.0;
    return;
  }
  std::vector<double> each;
  for (index_t k = 0; k < predictors_; ++k) {
    const std::vector<index_t>& members = members_[k];
    each.clear();
    for (index_t i : members) each.push_back(v[k * features_ + i]);
    solve_upper(factors_[k].data(), static_cast<index_t>(members.size()), each.data());
    for (size_t i = 0; i < members.size(); ++i) v[k * features_ + members[i]] = each[i];
  }
}

void ImplicitNewton::precondition(const std::vector<double>& r, std::vector<double>& z) const {
  z = r;
  solve_classes(z);
  if (!norms_.empty()) {
    std::vector<double> along;
    for (const FreeCells::Norm& norm : cells_.norms) {
      along.push_back(0.0);
      for (size_t i = 0; i < norm.cells.size(); ++i) along.back() += norm.direction[i] * z[norm.cells[i]];
    }
    solve_upper(norms_.data(), static_cast<index_t>(along.size()), along.data());
    std::vector<double> spread(r.size(), 0.0);
    for (size_t g = 0; g < along.size(); ++g)
      for (size_t i = 0; i < cells_.norms[g].cells.size(); ++i)
        spread[cells_.norms[g].cells[i]] += along[g] * cells_.norms[g].direction[i];
    solve_classes(spread);
    for (index_t c = 0; c < features_ * predictors_; ++c) z[c] += spread[c];
  }
  for (index_t k = 0; k < predictors_; ++k) {
    const index_t at = features_ * predictors_ + k;
    z[at] = x_.centred && totals_[k] > 0.0 ? r[at] / totals_[k] : 0.0;
  }
}

// out = (Hessian of loss and penalty) v, in the free cells
void ImplicitNewton::apply(const std::vector<double>& v, std::vector<double>& out) {
  const index_t n = x_.rows(), cells = features_ * predictors_;
  out.assign(v.size(), 0.0);
  // 1. Coefficients of the columns as they are read, and what that moves the intercepts by.
  coef_.assign(v.begin(), v.end());
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < features_; ++i) {
      coef_[k * features_ + i] *= inverse_[i];
      if (x_.centred) coef_[cells + k] -= coef_[k * features_ + i] * shift_[i];
    }
  // 2. Rows, some at a time, which stay in the cache for both products.
  std::vector<const double*> columns(features_);
  if (sparse_) all_rows(out);
  for (index_t row = 0; !sparse_ && row < n; row += kRows) {
    const index_t count = std::min(kRows, n - row);
    const double* panel = panel_.data() + (held_ ? row * features_ : 0);
    if (!lies_ && !held_) copy_rows(row, count, panel_.data());
    for (index_t i = 0; i < features_; ++i)
      columns[i] = lies_ ? lying(x_.design, cells_.features[i]) + row : panel + i * count;
    rows(columns, row, count, out);
  }
  // 3. Back to centred and scaled columns; the penalty's curvature.
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < features_; ++i) {
      const index_t c = k * features_ + i;
      out[c] = (out[c] - shift_[i] * out[cells + k]) * inverse_[i];
      out[c] = cells_.free[c] ? out[c] + cells_.ridge[c] * v[c] : 0.0;
    }
  if (!x_.centred) std::fill(out.begin() + cells, out.end(), 0.0);
  for (const FreeCells::Norm& norm : cells_.norms) {
    double along = 0.0;
    for (size_t i = 0; i < norm.cells.size(); ++i) along += norm.direction[i] * v[norm.cells[i]];
    for (size_t i = 0; i < norm.cells.size(); ++i)
      out[norm.cells[i]] += norm.slope * v[norm.cells[i]] + (norm.bend - norm.slope) * along * norm.direction[i];
  }
}

// out += X'W (X coef_ + intercepts) over some rows
void ImplicitNewton::rows(const std::vector<const double*>& columns, index_t row, index_t rows, std::vector<double>& out) {
  const index_t cells = features_ * predictors_;
  for (index_t l = 0; l < predictors_; ++l)
    std::fill_n(image_.begin() + l * rows, rows, x_.centred ? coef_[cells + l] : 0.0);
  simd::times(columns.data(), features_, coef_.data(), features_, predictors_, image_.data(), rows, rows);
  bend(row, rows, out);
  simd::products(columns.data(), features_, bent_.data(), rows, predictors_, out.data(), features_, rows);
}

void ImplicitNewton::all_rows(std::vector<double>& out) {
  const index_t n = x_.rows(), cells = features_ * predictors_;
  for (index_t l = 0; l < predictors_; ++l) {
    std::fill_n(image_.begin() + l * n, n, x_.centred ? coef_[cells + l] : 0.0);
    x_.design.add(cells_.features.data(), features_, coef_.data() + l * features_, image_.data() + l * n);
  }
  bend(0, n, out);
  for (index_t l = 0; l < predictors_; ++l)
    x_.design.dots(cells_.features.data(), features_, bent_.data() + l * n, out.data() + l * features_);
}

// bent_ = W image_ of some rows, whose sums are added to the intercepts' part of out
void ImplicitNewton::bend(index_t row, index_t rows, std::vector<double>& out) {
  const index_t n = x_.rows(), cells = features_ * predictors_;
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
    out[cells + l] += simd::sum(to, rows);
  }
}

void ImplicitNewton::solve(double share, double enough, std::vector<double>& step, std::vector<double>& intercepts) {
  const index_t cells = features_ * predictors_, size = cells + predictors_;
  std::vector<double> x, r = cells_.gradient;
  r.resize(size, 0.0);  // intercepts are at their best
  conjugate_gradients(
      x, r, alone() ? kMostSparse : kMost, [&](const auto& from, auto& z) { precondition(from, z); },
      [&](const auto& along, auto& image) { apply(along, image); },
      [&](const auto&, double now, double first) { return !(now > std::max(share * first, enough)); });
  step.assign(x.begin(), x.begin() + cells);
  intercepts.assign(x.begin() + cells, x.end());
}

}  // namespace bridle
