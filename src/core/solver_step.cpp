// One step of the solver: the model, its minimum, the line search.
#include <algorithm>
#include <cmath>

#include "solver.hpp"

namespace bridle {
namespace {

constexpr index_t kGramColumns = 6000;  // largest working set that gets a Gram matrix (288 MB)
constexpr index_t kCoupledColumns = 300; // of sparse data whose rows act on each other, above which products cost less
constexpr double kFirst = 1e-2;         // relative precision of the slopes to which a lambda's first model is solved by columns
constexpr double kFactorPerEntry = 1e3;  // active^3 for each entry, above which factors cost more than conjugate gradients
constexpr double kFullRows = 64.0;       // entries a row from which on new weights cost more than they do
constexpr index_t kManySweeps = 300;    // of descent by columns in one model, after which a direct solve is worth it

}  // namespace

// A move costs k operations in Gram space and two passes over its entries by columns. Columns win where they are much
// shorter, as in sparse data, and where a factor of the active set would cost more than rounds of conjugate gradients;
// but only the Gram matrix allows direct solves, so hard problems go back to it.
bool Solver::use_gram() const {
  const index_t k = work_.size();
  if (gram_space_) return true;
  if (k > kGramColumns) return false;
  if (!in_.design->sparse() || slow_) return true;
  if (loss_->coupled())  // the gap needs the curvature along what nothing holds
    return k <= kCoupledColumns || any_free();
  index_t entries = 0;
  for (index_t j : work_.list) entries += in_.design->stored(j);
  const double active = static_cast<double>(work_.active());
  const double stored = static_cast<double>(entries);
  if (!loss_->quadratic() && stored > kFullRows * static_cast<double>(n_)) return false;
  return 4 * entries >= k * k && active * active * active < kFactorPerEntry * stored;
}

bool Solver::by_products() const { return loss_->coupled() && !gram_space_ && !use_gram(); }

bool Solver::ask_gram() {
  if (gram_space_ || !use_gram() || polish_) return false;
  const bool late = gram_.rough() && (gap_ <= kRough * in_.reference || gram_.too_rough(work_.size()));
  const bool renew = gram_.empty() || outdated_ || late || (refresh_ && !loss_->quadratic());
  refresh_ = outdated_ = false;
  request_ = {Need::gram, work_.list, {}, false, renew};
  return renew || gram_.size() < work_.size();
}

// The gap needs the curvature along what nothing holds.
bool Solver::rough_will_do() const {
  if (loss_->quadratic() || loss_->coupled() || loss_->sharp() || in_.design->sparse() || full_) return false;
  return target_ < kRough * in_.reference && gap_ > kRough * in_.reference && !any_free();
}

bool Solver::any_free() const {
  return std::any_of(work_.terms.begin(), work_.terms.end(), [](const Term& t) { return t.l1 == 0.0 && t.ridge == 0.0; });
}

void Solver::renewed() {
  spare_steps_ = 0;
  work_.aim.assign(work_.size(), 0.0);  // another model misses by something else
  work_.miss.assign(work_.size(), 0.0);
}

void Solver::make_gram() {
  if (request_.renew) {
    gram_.reset(weights_.data(), n_, loss_->second(in_.w, eta_.data(), n_),
                rough_will_do() ? rows_apart(n_, work_.size()) : 1);
    renewed();
  }
  gram_.extend(x_, work_.list.data(), work_.size());
}

void Solver::take_gram(const SharedGram& of) {
  if (of.version() != shared_) renewed();
  shared_ = of.version();
  of.copy(work_.list, in_.scale, gram_);
}

// Whether the model's minimum is somewhere else, so that the step there is asked for.
bool Solver::step_to_aim() {
  stage_ = Stage::inside;
  const bool moves = aim();
  if (budget_.stop) status_ = Status::interrupted;
  if (budget_.stop || !moves) {
    ++idle_;
    return false;
  }
  if (gram_space_) return false;
  stage_ = Stage::stepping;
  return true;
}

bool Solver::aim() {
  if (polish_) return polish();
  const index_t k = work_.size();
  const bool with_gram = use_gram();
  rough_ = !with_gram && opening_ && !loss_->quadratic();
  before_ = work_.beta;
  const std::vector<double> slope = work_.slope;
  const Precision precision{coarseness_ * in_.reference, std::sqrt(coarseness_), 1e-15 * std::sqrt(in_.reference)};
  double constant = 0.0;  // what the centring of the columns moves the intercept by
  if (with_gram) {
    if (gram_space_) gram_.extend(x_, work_.list.data(), k);
    GramQuadratic model(gram_, work_.slope);
    minimise(model, work_.terms, work_.beta, precision, factor_, budget_);
    if (!loss_->quadratic()) foresee();
    for (index_t i = 0; i < k; ++i) {
      work_.curvature[i] = gram_.at(i, i);
      constant -= (work_.beta[i] - before_[i]) / in_.scale[work_.list[i]] * gram_.shift(i);
    }
  } else {
    const bool sparse = in_.design->sparse();
    if (sparse) rows_.read(*in_.design, work_.list);
    ColumnQuadratic model(x_, work_.list, residual_.data(), weights_.data(), sparse ? &rows_ : nullptr);
    model.measure();
    const index_t used = budget_.used;
    // Digits are dear here, and a first model is no better than the curvature it was made with.
    const double share = rough_ ? kFirst : fine();
    const Precision enough{share * share * in_.reference, share, precision.noise};
    minimise(model, work_.terms, work_.beta, enough, k <= kGramColumns ? kManySweeps : budget_.limit, budget_);
    if (!loss_->quadratic()) foresee();
    slow_ = budget_.used - used >= kManySweeps;
    outdated_ = true;
    for (index_t i = 0; i < k; ++i) {
      work_.curvature[i] = model.curvature(i);
      constant -= (work_.beta[i] - before_[i]) / in_.scale[work_.list[i]] * model.shift(i);
    }
  }
  if (gram_space_) {
    b0_ += constant;
    moved_ = true;
    return work_.beta != before_;
  }
  work_.slope = slope;
  ask_step(constant);
  return request_.any();
}

// Share of the penalty's slope to which a model's are to be right: a lasso's dual point is scaled by it, which costs as
// much of the penalty.
double Solver::fine() const {
  const double held = in_.l1_ratio == 1.0 ? penalty_value(work_.beta) : 0.0;
  return std::min(std::sqrt(coarseness_), held > 0.0 ? 3.0 * target_ / held : 1.0);
}

void Solver::ask_step(double constant) {
  constant_ = constant;
  request_ = {Need::step, {}, {}, false};
  for (index_t i = 0; i < work_.size(); ++i) {
    if (work_.beta[i] == before_[i]) continue;
    request_.columns.push_back(work_.list[i]);
    request_.coef.push_back((work_.beta[i] - before_[i]) / in_.scale[work_.list[i]]);
  }
  direction_.assign(n_, constant);
}

// A model aims off by its third derivatives and by the age of its weights, and along a path does so again at the next
// lambda: what the last lambda's first aim missed its solution by is added to this one's.
void Solver::foresee() {
  if (!opening_) return;
  opening_ = false;
  for (index_t i = 0; i < work_.size(); ++i) {
    work_.aim[i] = work_.beta[i];
    if (before_[i] == 0.0 || work_.beta[i] == 0.0) continue;
    const double b = work_.beta[i] + work_.miss[i];
    if ((b > 0.0) == (work_.beta[i] > 0.0) && b > work_.terms[i].lower && b < work_.terms[i].upper) work_.beta[i] = b;
  }
}

void Solver::remember_miss() {
  for (index_t k = 0; k < work_.size(); ++k)
    work_.miss[k] = work_.beta[k] != 0.0 && work_.aim[k] != 0.0 ? work_.beta[k] - work_.aim[k] : 0.0;
}

// Backtracking on the true objective (Armijo). For the gaussian loss the model is exact, but for rounding, which can make
// any step of it where columns are nearly dependent.
bool Solver::line_search() {
  const index_t k = work_.size();
  const std::vector<double> goal = work_.beta;
  double predicted = penalty_value(goal) - penalty_value(before_);
  for (index_t i = 0; i < k; ++i) predicted -= work_.slope[i] * (goal[i] - before_[i]);
  double t = 1.0;
  const double start = loss_now_ + penalty_value(before_);
  const double rounding = 1e-14 * (std::abs(start) + in_.reference);
  trial_.resize(n_);
  for (;; t *= 0.5) {
    if (t < 1e-10) {
      work_.beta = before_;
      evaluate();
      raise();
      refresh_ = true;
      caution_.most();
      return false;
    }
    for (index_t i = 0; i < n_; ++i) trial_[i] = eta_[i] + t * direction_[i];
    for (index_t i = 0; i < k; ++i) work_.beta[i] = t == 1.0 ? goal[i] : before_[i] + t * (goal[i] - before_[i]);
    const double loss = loss_->evaluate(in_.y, in_.w, trial_.data(), n_, residual_.data(), weights_.data());
    const double value = loss + penalty_value(work_.beta);
    if (value <= start + 1e-4 * t * std::min(0.0, predicted) + rounding) {  // false for NaN and infinity
      gained_ = start - value;
      loss_now_ = loss;
      break;
    }
  }
  refresh_ = t < 1.0;
  full_ = full_ || t < 1.0;
  if (loss_->sharp()) refresh_ = caution_.learn(t, predicted, gained_, rounding);
  eta_.swap(trial_);
  b0_ += t * constant_;
  moved_ = evaluated_ = true;
  return true;
}

double Solver::penalty_value(const std::vector<double>& beta) const {
  double total = 0.0;
  for (index_t k = 0; k < work_.size(); ++k) total += work_.terms[k].value(beta[k]);
  return total;
}

}  // namespace bridle
