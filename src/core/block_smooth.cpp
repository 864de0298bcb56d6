// Ridge alone on many features of several predictors: the objective is smooth, and Newton's step takes products with the
// columns only; no matrix of the features is made.
#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "block_gap.hpp"
#include "block_solver.hpp"
#include "conjugate.hpp"

namespace bridle {
namespace {

constexpr double kWorth = 20.0;       // products that the features' matrix and its factors may cost, where predictors share it
constexpr index_t kHard = 25;         // products of one step, from which on factors precondition the next
constexpr index_t kFactored = 3000;   // features that get such factors
constexpr index_t kWideSparse = 300;  // sparse features whose products are always cheaper
constexpr index_t kProducts = 500;
constexpr double kShared = 1e-12;     // of the slopes' square, that is rounding
constexpr double kForcing = 1e-3;  // share of the squared residual that is left to the next step
constexpr double kEnough = 0.1;    // of the gap asked for, that may be left

// v: of each predictor `size` numbers, then one for each predictor. Softmax has no curvature along what all classes share, and
// where the slopes have no such part, nor has the step: a preconditioner mustn't bring it in.
void balance(std::vector<double>& v, index_t size, index_t predictors) {
  for (index_t i = 0; i <= size; ++i) {
    const auto at = [&](index_t k) -> double& { return i < size ? v[k * size + i] : v[predictors * size + k]; };
    double sum = 0.0;
    for (index_t k = 0; k < predictors; ++k) sum += at(k);
    for (index_t k = 0; k < predictors; ++k) at(k) -= sum / static_cast<double>(predictors);
  }
}

bool balanced(const std::vector<double>& v, index_t size, index_t predictors) {
  double shared = 0.0, all = 0.0;
  for (index_t i = 0; i < size; ++i) {
    double sum = 0.0;
    for (index_t k = 0; k < predictors; ++k) {
      sum += v[k * size + i];
      all += v[k * size + i] * v[k * size + i];
    }
    shared += sum * sum;
  }
  return shared <= kShared * all;
}

}  // namespace

bool BlockSolver::wants_products() const {
  const double m = static_cast<double>(working()), k = static_cast<double>(predictors_), n = static_cast<double>(n_);
  const double worth = m / (4.0 * k) + m * m / (12.0 * n);
  const bool dear = in_.design->sparse() ? working() > kWideSparse : meet_ || worth > kWorth;
  if (predictors_ == 1 || !dear) return false;
  return std::all_of(blocks_.begin(), blocks_.end(), [](const Block& block) {
    return block.term.free() && !BlockGap::unheld(block.term) && std::isinf(block.term.lower) && std::isinf(block.term.upper);
  });
}

bool BlockSolver::improve_smoothly() {
  const index_t m = working(), cells = m * predictors_;
  // 1. Curvatures of the rows and, for the preconditioner, of the coefficients alone.
  if (meet_) split();
  std::vector<double> row(meet_ ? n_ : 0, 0.0), totals(predictors_);
  for (index_t k = 0; k < predictors_; ++k) {
    if (!meet_) totals[k] = simd::sum(weights_.data(), n_);
    for (index_t i = 0; meet_ && i < n_; ++i) {
      const double own = diagonal_[k * n_ + i] - root_[k * n_ + i] * root_[k * n_ + i];
      row[i] += own;
      totals[k] += own;
    }
  }
  const double* weights = meet_ ? row.data() : weights_.data();
  const double total = simd::sum(weights, n_);
  std::vector<double> ridge(cells), diagonal(cells), gradient(cells + predictors_, 0.0);
  for (const Block& block : blocks_)
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t i = block.from; i < block.from + block.size; ++i) ridge[k * m + i] = block.term.ridge;
  for (index_t i = 0; i < m; ++i) {
    const index_t j = list_[i];
    const double square = x_.design.square(j, weights, total, x_.centre[j]) / (x_.scale[j] * x_.scale[j] * total);
    for (index_t k = 0; k < predictors_; ++k) {
      const index_t c = k * m + i;
      diagonal[c] = totals[k] * square + ridge[c];
      gradient[c] = slope_[c] - ridge[c] * beta_[c];
    }
  }
  if (hard_) factor_smoothly(ridge);
  const bool even = meet_ && balanced(gradient, m, predictors_);
  // 2. Newton's step; the intercepts are at their best, and move along.
  const auto precondition = [&](const std::vector<double>& r, std::vector<double>& z) {
    for (index_t c = 0; c < cells; ++c) z[c] = smooth_factors_.empty() ? r[c] / diagonal[c] : r[c];
    for (index_t k = 0; k < predictors_ && !smooth_factors_.empty(); ++k)
      solve_upper(smooth_factors_[meet_ ? k : 0].data(), m, z.data() + k * m);
    for (index_t k = 0; k < predictors_; ++k) z[cells + k] = x_.centred && totals[k] > 0.0 ? r[cells + k] / totals[k] : 0.0;
    if (even) balance(z, m, predictors_);
  };
  std::vector<double> coef(cells), image(n_ * predictors_), step;
  index_t products = 0;
  const auto product = [&](const std::vector<double>& v, std::vector<double>& out) {
    ++products;
    for (index_t k = 0; k < predictors_; ++k) {
      double constant = v[cells + k];
      for (index_t i = 0; i < m; ++i) {
        coef[k * m + i] = v[k * m + i] / x_.scale[list_[i]];
        constant -= coef[k * m + i] * x_.centre[list_[i]];
      }
      std::fill_n(image.begin() + k * n_, n_, x_.centred ? constant : 0.0);
    }
    panels_.times(list_.data(), m, coef.data(), predictors_, image.data());
    bend(image.data());
    panels_.dots(list_.data(), m, image.data(), predictors_, out.data());
    for (index_t c = 0; c < cells; ++c) out[c] += ridge[c] * v[c];
    for (index_t k = 0; k < predictors_; ++k) out[cells + k] = x_.centred ? simd::sum(image.data() + k * n_, n_) : 0.0;
  };
  conjugate_gradients(step, gradient, kProducts, precondition, product, [&](const auto& left, double now, double first) {
    double gap = 0.0;  // once this is left of the slopes
    for (index_t c = 0; c < cells; ++c) gap += 0.5 * left[c] * left[c] / ridge[c];
    return gap <= kEnough * target_ || !(now > kForcing * first) || !budget_.spend();
  });
  if (budget_.stop) return false;
  hard_ = products > kHard;
  // 3. Line search.
  const std::vector<double> before = beta_;
  std::vector<double> constant(step.begin() + cells, step.end());
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < m; ++i) {
      beta_[k * m + i] += step[k * m + i];
      constant[k] -= step[k * m + i] / x_.scale[list_[i]] * x_.centre[list_[i]];
    }
  return line_search(before, constant);
}

// Factors of each predictor's own share of the curvature, for correlated features: they serve until a step is hard again.
void BlockSolver::factor_smoothly(const std::vector<double>& ridge) {
  const index_t m = working();
  smooth_factors_.clear();
  if (in_.design->sparse() || m > kFactored) return;
  std::vector<double> own(n_);
  for (index_t k = 0; k < (meet_ ? predictors_ : 1); ++k) {
    for (index_t i = 0; i < n_; ++i) {
      const double root = meet_ ? root_[k * n_ + i] : 0.0;
      own[i] = meet_ ? std::max(0.0, diagonal_[k * n_ + i] - root * root) : weights_[i];
    }
    Gram gram;
    gram.reset(own.data(), n_);
    gram.extend(x_, list_.data(), m);
    std::vector<double> upper(m * m);
    for (index_t i = 0; i < m; ++i) {
      std::copy_n(gram.column(i), m, upper.data() + i * m);
      upper[i * m + i] += ridge[k * m + i];
    }
    char triangle = 'U';
    int size = static_cast<int>(m), info = 0;
    blas().dpotrf(&triangle, &size, upper.data(), &size, &info);
    if (info != 0) {
      smooth_factors_.clear();
      return;
    }
    smooth_factors_.push_back(std::move(upper));
  }
}

// u (n, K) becomes W u, W the curvature of the rows.
void BlockSolver::bend(double* u) const {
  if (!meet_) {
    for (index_t k = 0; k < predictors_; ++k)
      for (index_t i = 0; i < n_; ++i) u[k * n_ + i] *= weights_[i];
    return;
  }
  std::vector<double> along(n_, 0.0);
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < n_; ++i) along[i] += root_[k * n_ + i] * u[k * n_ + i];
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < n_; ++i) u[k * n_ + i] = diagonal_[k * n_ + i] * u[k * n_ + i] - root_[k * n_ + i] * along[i];
}

}  // namespace bridle
