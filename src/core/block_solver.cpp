#include "block_solver.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "block_gap.hpp"

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kFar = 1e300;  // a lambda at which nothing that is penalised takes part
constexpr double kGain = 1e-3;  // of the gap asked for: a step that wins more isn't rounding
constexpr double kFine = 1e-3, kCoarse = 0.1;  // of the gap asked for: what a model's solution may miss, first
constexpr double kColumnsAnew = 2.0;           // steps of the outer loop that columns under new weights cost
constexpr double kStraight = 0.8;    // share of what its slope promises that a step wins where the model is far too steep
constexpr double kLeastFlat = 1e-9;
constexpr index_t kSweeps = 3;  // of a majoriser
constexpr double kRounding = 1e-13;  // of what the residuals' sums are made of: where these no longer halve, that is left
constexpr double kDoubt = 0.5;  // as kSafety, where the referee refits unpenalised features

// What a new Gram matrix of m columns costs, in steps of the outer loop (solver.cpp).
double steps_for_gram(index_t m, double bytes) {
  const double k = static_cast<double>(m);
  return (0.03 * k * k + 1.5 * k) / (k * bytes / 6.0 + 40.0);
}

}  // namespace

BlockSolver::BlockSolver(const BlockProblem& problem, const Settings& settings)
    : in_(problem),
      set_(settings),
      x_{*problem.design, problem.centre, problem.scale, problem.intercept},
      panels_(x_),
      n_(problem.design->rows()),
      p_(problem.design->columns()),
      predictors_(problem.loss->responses()),
      concave_(problem.shape != Shape::lasso),
      groups_(problem, problem.loss->responses()),
      inside_(problem.groups, 0),
      outside_(p_ * predictors_),
      model_(*problem.loss),
      meet_(model_.coupled()),
      b0_(problem.start, problem.start + predictors_),
      eta_(problem.offset, problem.offset + n_ * predictors_),
      residual_(n_ * predictors_),
      weights_(n_) {
  for (std::vector<double>* buffer : {&held_, &held_slope_, &held_curvature_})
    buffer->resize(groups_.largest() * predictors_);
  budget_.limit = settings.max_iter;
  budget_.interrupted = settings.interrupted;
  budget_.context = settings.context;
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < n_; ++i) eta_[k * n_ + i] += b0_[k];
  look();
  look_outside();
  for (index_t j : groups_.features())
    for (index_t k = 0; k < predictors_; ++k)
      if (in_.factor[j] > 0.0) null_slope_ = std::max(null_slope_, std::abs(outside_[k * p_ + j]));
}

Status BlockSolver::solve(double lam, double tol) {
  set_.tol = tol;
  budget_.used = 0;
  begin(lam);
  while (true) {
    // 1. Certificate of the working set, then of all groups; violators join.
    if (moved_) look();
    const bool out_of_time = budget_.used >= budget_.limit || idle_ >= kStall;
    gap_ = certificate(false);
    if (gap_ <= target_ || out_of_time) {
      if (!outside_known_) look_outside();
      gap_ = certificate(true);
      status_ = gap_ <= target_ ? Status::converged : (idle_ >= kStall ? Status::stalled : Status::max_iter);
      if (gap_ <= target_ || out_of_time) return status_;
      if (grow(lam)) last_ = kInfinity;
    }
    // 2. What the last step has won decides how old the model and how coarse its solution may be.
    if (std::isfinite(last_)) {
      const double price = model_.matrix_free() ? kColumnsAnew : steps_for_gram(working(), in_.design->bytes());
      const bool far = gap_ > target_ && std::log(gap_ / target_) > (1.0 + price) * std::log(last_ / gap_);
      refresh_ = refresh_ || ++spare_steps_ > price || far;
    }
    if (gap_ > 0.5 * last_) coarseness_ = std::max(1e-3 * coarseness_, 1e-25);
    idle_ = gap_ < 0.9 * last_ || gained_ > kGain * target_ ? 0 : idle_ + 1;
    gained_ = 0.0;
    last_ = std::min(gap_, last_);
    // 3. Model, its minimum, line search; then Newton on the rows, where the model is only a majoriser.
    const bool smooth = wants_products(), exact = !smooth && wants_cells();
    bool lowered = smooth ? improve_smoothly() : (exact ? improve_exactly() : improve());
    if (!smooth && !exact && on_rows_ && !budget_.stop) {
      ++rounds_;
      if (moved_) look();
      if (certificate(false) > target_) lowered = polish() || lowered;
    }
    if (!lowered) ++idle_;
    if (budget_.stop) return status_ = Status::interrupted;
  }
}

void BlockSolver::begin(double lam) {
  previous_ = first_ ? lam : lam_;
  lam_ = lam;
  concave_ = in_.shape != Shape::lasso && lam * in_.l1_ratio > 0.0;
  // At first the slopes are those of the intercept alone: unpenalised features come first, and then the others' slopes.
  const double reach = first_ ? kFar : std::max(0.0, 2.0 * lam - previous_);
  first_ = tangent_ = full_ = false;
  shrink(reach);
  grow(reach);
  lay_out();
  bool refits = false;
  for (const Block& block : blocks_) refits = refits || BlockGap::unheld(block.term);
  target_ = (refits && lam * in_.l1_ratio > 0.0 ? kDoubt : kSafety) * set_.tol * (concave_ ? null_slope_ : in_.reference);
  // An objective is off by the square of its slopes.
  coarseness_ = (model_.matrix_free() ? kCoarse : kFine) * set_.tol * (concave_ ? set_.tol : 1.0);
  last_ = kInfinity;
  idle_ = rounds_ = 0;
  if (!concave_) extrapolate(lam);
}

void BlockSolver::look() {
  moved_ = outside_known_ = false;
  if (!evaluated_) evaluate();
  evaluated_ = false;
  raise();
  if (in_.intercept && !in_.loss->shift_invariant()) centre_intercept();
  panels_.dots(list_.data(), working(), residual_.data(), predictors_, slope_.data());
}

void BlockSolver::look_outside() {
  outside_known_ = true;
  std::vector<index_t> others;
  for (index_t g = 0; g < in_.groups; ++g)
    if (!inside_[g]) others.insert(others.end(), groups_.begin(g), groups_.end(g));
  const index_t m = working(), rest = static_cast<index_t>(others.size());
  std::vector<double> slopes(rest * predictors_);
  panels_.dots(others.data(), rest, residual_.data(), predictors_, slopes.data());
  for (index_t k = 0; k < predictors_; ++k) {
    for (index_t i = 0; i < m; ++i) outside_[k * p_ + list_[i]] = slope_[k * m + i];
    for (index_t i = 0; i < rest; ++i) outside_[k * p_ + others[i]] = slopes[k * rest + i];
  }
}

void BlockSolver::centre_intercept() {
  std::vector<double> matrix(predictors_ * predictors_, 0.0), vectors, values, total(predictors_), move(predictors_);
  double least = kInfinity;
  for (int step = 0; step < 50; ++step) {
    double off = 0.0;
    for (index_t k = 0; k < predictors_; ++k) {
      total[k] = simd::sum(residual_.data() + k * n_, n_);
      off = std::max(off, std::abs(total[k]));
    }
    if (step % 5 == 0) {  // several predictors: these cost more than another step
      intercept_curvature(matrix);
      eigen(matrix.data(), predictors_, vectors, values);
    }
    if (!(values.back() > 0.0) || off <= 1e-7 * set_.tol * std::sqrt(in_.reference * values.back())) return;
    if (off > 0.5 * least) {
      double made_of = 0.0;
      for (index_t k = 0; k < predictors_; ++k)
        made_of = std::max(made_of, simd::absolute_sum(residual_.data() + k * n_, n_) + values.back() * std::abs(b0_[k]));
      if (off <= kRounding * made_of) return;
    }
    least = std::min(least, off);
    solve_eigen(vectors, values, total.data(), move.data());
    bool same = true;
    for (index_t k = 0; k < predictors_; ++k) {
      move[k] = std::max(-2.0, std::min(2.0, move[k]));
      same = same && b0_[k] + move[k] == b0_[k];
      b0_[k] += move[k];
      for (index_t i = 0; i < n_; ++i) eta_[k * n_ + i] += move[k];
    }
    if (same) return;
    evaluate();
    raise();
  }
}

// sum_i W_i (K, K), as the model has it
void BlockSolver::intercept_curvature(std::vector<double>& matrix) {
  std::fill(matrix.begin(), matrix.end(), 0.0);
  if (!meet_) {
    for (index_t k = 0; k < predictors_; ++k) matrix[k * predictors_ + k] = simd::sum(weights_.data(), n_);
    return;
  }
  split();
  std::vector<const double*> roots;
  for (index_t k = 0; k < predictors_; ++k) roots.push_back(root_.data() + k * n_);
  simd::products(roots.data(), predictors_, root_.data(), n_, predictors_, matrix.data(), predictors_, n_);
  double trace = 0.0;
  for (double& each : matrix) each = -each;
  for (index_t k = 0; k < predictors_; ++k)
    trace += matrix[k * predictors_ + k] += simd::sum(diagonal_.data() + k * n_, n_);
  for (double& each : matrix) each += flat_ * trace / static_cast<double>(predictors_);
}

void BlockSolver::evaluate() {
  loss_now_ = in_.loss->evaluate(in_.y, in_.w, eta_.data(), n_, residual_.data(), weights_.data());
}

void BlockSolver::raise() {
  in_.loss->raise(in_.y, in_.w, eta_.data(), n_, caution_.share(), weights_.data());
}

// The curvatures that the model takes at this point.
const double* BlockSolver::curvatures() {
  if (!meet_) return weights_.data();
  curvatures_.resize(n_ * model_.pairs());
  in_.loss->curvatures(in_.y, in_.w, eta_.data(), n_, flat_, curvatures_.data());
  return curvatures_.data();
}

double BlockSolver::certificate(bool all) { return concave_ ? worst_violation(all) : gap(all); }

double BlockSolver::worst_violation(bool all) const {
  double worst = 0.0;
  for (const Block& block : blocks_) {
    gather(block, beta_, held_.data());
    gather(block, slope_, held_slope_.data());
    worst = std::max(worst, block.term.violation(held_.data(), held_slope_.data(), block.cells()));
  }
  if (all)
    for (index_t g = 0; g < in_.groups; ++g)
      if (!inside_[g] && members(g) > 0) worst = std::max(worst, excess_outside(g, lam_));
  return worst;
}

// The refit of unpenalised coefficients, in the loss's norm, times the longest column there (solver.cpp).
double BlockSolver::refit_reach() const {
  double refit = 0.0, longest = 0.0;
  if (!modelled()) return 0.0;
  for (const Block& block : blocks_)
    for (index_t k = block.first; k < block.last; ++k)
      for (index_t i = block.from; i < block.from + block.size; ++i) {
        const double length = std::sqrt(model_.curvature(i, k)), z = slope_[k * working() + i];
        longest = std::max(longest, length);
        if (length > 0.0 && BlockGap::unheld(block.term) && std::isinf(z > 0.0 ? block.term.upper : block.term.lower))
          refit += std::abs(z) / length;
      }
  return refit * longest;
}

double BlockSolver::gap(bool all) {
  BlockGap sum(in_.reference, refit_reach());
  const index_t width = in_.joint ? predictors_ : 1;
  const auto each_outside = [&](auto&& use) {
    if (!all) return;
    for (index_t g = 0; g < in_.groups; ++g) {
      if (inside_[g] || members(g) == 0) continue;
      const BlockTerm at = term(g, lam_);
      for (index_t first = 0; first < predictors_; first += width) {
        outside_block(g, first, first + width, held_slope_.data());
        use(at, members(g) * width);
      }
    }
  };
  for (const Block& block : blocks_) {
    gather(block, slope_, held_slope_.data());
    sum.limit(block.term, held_slope_.data(), block.cells());
  }
  each_outside([&](const BlockTerm& at, index_t count) { sum.limit(at, held_slope_.data(), count); });
  for (const Block& block : blocks_) {
    gather(block, beta_, held_.data());
    gather(block, slope_, held_slope_.data());
    if (modelled())
      for (index_t k = 0; k < block.last - block.first; ++k)
        for (index_t i = 0; i < block.size; ++i)
          held_curvature_[k * block.size + i] = model_.curvature(block.from + i, block.first + k);
    sum.add(block.term, held_.data(), held_slope_.data(), block.cells(), modelled() ? held_curvature_.data() : nullptr);
  }
  std::fill(held_.begin(), held_.end(), 0.0);
  each_outside([&](const BlockTerm& at, index_t count) {
    sum.add(at, held_.data(), held_slope_.data(), count, nullptr);
  });
  const double s = sum.scale();
  return sum.total(s < 1.0 ? scaling_cost(*in_.loss, in_.y, in_.w, eta_.data(), residual_.data(), weights_.data(), n_, s) : 0.0);
}

double BlockSolver::penalty_value() const {
  double total = 0.0;
  for (const Block& block : blocks_) {
    gather(block, beta_, held_.data());
    total += block.term.value(held_.data(), block.cells());
  }
  return total;
}

bool BlockSolver::improve() {
  const index_t m = working();
  if (!on_rows_ && wants_rows()) {
    on_rows_ = true;
    model_ = BlockModel(*in_.loss, true);
  }
  if (!model_.matrix_free() && wants_no_matrix()) model_.leave_matrix();
  if (model_.empty() || (refresh_ && !in_.loss->quadratic())) {
    if (on_rows_) majorise();
    model_total_ = on_rows_ ? simd::sum(weights_.data(), n_) : 0.0;
    model_.reset(on_rows_ ? weights_.data() : curvatures(), n_, in_.loss->second(in_.w, eta_.data(), n_));
    spare_steps_ = 0;
  }
  refresh_ = false;
  model_.extend(x_, list_, sizes());
  model_.start(residual_.data());
  const std::vector<double> before = beta_, slope = slope_;
  const Precision precision{coarseness_ * in_.reference, std::sqrt(coarseness_), 1e-15 * std::sqrt(in_.reference)};
  std::vector<Block> blocks = blocks_;
  if (tangent_)
    for (Block& block : blocks) {
      gather(block, beta_, held_.data());
      double squares = 0.0;
      for (index_t i = 0; i < block.cells(); ++i) squares += held_[i] * held_[i];
      block.term = block.term.tangent(std::sqrt(squares));
    }
  for (Block& block : blocks) block = model_.place(block);
  model_.enter(beta_);
  model_.enter(slope_);
  descent_.minimise(model_.matrix(), model_.predictors(), blocks, precision, budget_, beta_.data(), slope_.data(),
                    on_rows_ ? kSweeps : 0);
  model_.leave(beta_);
  slope_ = slope;
  std::vector<double> constant(predictors_), move(m * predictors_);
  for (index_t i = 0; i < m * predictors_; ++i) move[i] = beta_[i] - before[i];
  model_.intercepts(x_, list_, move.data(), constant.data());
  const bool lowered = line_search(before, constant);
  tangent_ = concave_ && !lowered && !tangent_;
  return lowered;
}

// direction_: what a move of the coefficients at some places, and of the intercepts, moves the predictors by.
void BlockSolver::spread(const std::vector<index_t>& places, const std::vector<double>& before,
                         const std::vector<double>& goal, const std::vector<double>& constant) {
  const index_t m = working(), count = static_cast<index_t>(places.size());
  std::vector<index_t> columns(count);
  std::vector<double> coef(count * predictors_);
  for (index_t i = 0; i < count; ++i) {
    columns[i] = list_[places[i]];
    for (index_t k = 0; k < predictors_; ++k)
      coef[k * count + i] = (goal[k * m + places[i]] - before[k * m + places[i]]) / in_.scale[columns[i]];
  }
  direction_.resize(n_ * predictors_);
  for (index_t k = 0; k < predictors_; ++k) std::fill_n(direction_.begin() + k * n_, n_, constant[k]);
  panels_.times(columns.data(), count, coef.data(), predictors_, direction_.data());
}

// Backtracking on the true objective (Armijo).
bool BlockSolver::line_search(const std::vector<double>& before, const std::vector<double>& constant) {
  const index_t m = working();
  const std::vector<double> goal = beta_;
  const double goal_penalty = penalty_value();
  beta_ = before;
  const double penalty = penalty_value(), start = loss_now_ + penalty;
  double predicted = goal_penalty - penalty;
  std::vector<index_t> moved;  // places of features
  for (index_t i = 0; i < m; ++i) {
    bool moves = false;
    for (index_t k = 0; k < predictors_; ++k) {
      const double move = goal[k * m + i] - before[k * m + i];
      moves = moves || move != 0.0;
      predicted -= slope_[k * m + i] * move;
    }
    if (moves) moved.push_back(i);
  }
  spread(moved, before, goal, constant);
  if (moved.empty()) {
    refresh_ = true;
    return false;
  }
  const double rounding = 1e-14 * (std::abs(start) + in_.reference);
  trial_.resize(n_ * predictors_);
  double t = 1.0;
  for (;; t *= 0.5) {
    if (t < 1e-10) {
      beta_ = before;
      evaluate();
      raise();
      refresh_ = true;
      caution_.most();
      return false;
    }
    for (index_t i = 0; i < n_ * predictors_; ++i) trial_[i] = eta_[i] + t * direction_[i];
    for (index_t i = 0; i < m * predictors_; ++i) beta_[i] = before[i] + t * (goal[i] - before[i]);
    if (t == 1.0) beta_ = goal;
    const double loss = in_.loss->evaluate(in_.y, in_.w, trial_.data(), n_, residual_.data(), weights_.data());
    const double value = loss + penalty_value();
    if (value <= start + 1e-4 * t * std::min(0.0, predicted) + rounding) {
      gained_ = start - value;
      loss_now_ = loss;
      break;
    }
  }
  refresh_ = t < 1.0;
  if (in_.loss->sharp()) refresh_ = caution_.learn(t, predicted, gained_, rounding);
  if (meet_) doubt_flat(t, predicted);
  eta_.swap(trial_);
  for (index_t k = 0; k < predictors_; ++k) b0_[k] += t * constant[k];
  moved_ = evaluated_ = true;
  return true;
}

// Where softmax is flat the penalty decides, and the curvature that the model has there makes its way slow: a step that
// wins nearly all that its slope promises says so.
void BlockSolver::doubt_flat(double t, double predicted) {
  if (t < 1.0) {
    flat_ = std::min(kFlat, 1e2 * flat_);
  } else if (gained_ > -kStraight * predicted && flat_ > kLeastFlat) {
    flat_ *= 1e-2;
    refresh_ = true;
  }
}

void BlockSolver::record(PathResult& out) const {
  std::vector<std::pair<index_t, double>> row;
  for (index_t k = 0; k < predictors_; ++k)
    for (index_t i = 0; i < working(); ++i)
      if (beta_[k * working() + i] != 0.0) {
        const index_t j = list_[i];  // bounds are exact, whatever a division rounds to
        const double b = beta_[k * working() + i] / in_.scale[j];
        row.emplace_back(j * predictors_ + k, std::max(in_.lower[j], std::min(in_.upper[j], b)));
      }
  std::sort(row.begin(), row.end());
  for (const auto& entry : row) {
    out.columns.push_back(entry.first);
    out.values.push_back(entry.second);
  }
  out.starts.push_back(static_cast<index_t>(out.columns.size()));
  out.intercept.insert(out.intercept.end(), b0_.begin(), b0_.end());
  out.gap.push_back(gap_);
  out.kkt.push_back(worst_violation(true));
  out.loss.push_back(loss_now_);
  out.status.push_back(static_cast<int>(status_));
  out.n_iter.push_back(budget_.used);
}

}  // namespace bridle
