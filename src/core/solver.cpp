#include "solver.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "gap.hpp"

namespace bridle {
namespace {

constexpr index_t kFullGram = 4000;      // largest p for which the whole Gram matrix is made at the start
constexpr double kDoubt = 0.5;           // as kSafety, where rounding on the rows counts too
constexpr double kSuspect = 0.95;        // share of the threshold from which on a slope's estimate may well be above it
constexpr double kAhead = 0.5;           // the same, of features that come along where growing is dear
constexpr double kGain = 1e-3;           // of the gap asked for: a step that wins more isn't rounding
constexpr double kCreep = 1e-6;          // of the gap that there is: at less a step, it would take a million
constexpr double kRounding = 1e-13;      // of what the residual's sum is made of: where it no longer halves, that is left
constexpr double kSeparationTol = 1e-10; // at lam = 0 a separated fit has to run far enough to be told apart

constexpr int kPatience = 4;             // steps by products without progress, after which a matrix is made
constexpr double kDear = 8.0;            // steps that new weights cost, from which on a step without a matrix is tried before
constexpr double kFew = 3.0;             // and steps that are left at the old one's rate

// What a new Gram matrix of k columns costs, in steps of the outer loop. Measured, in nanoseconds a row: products 0.03
// a pair of columns and 1.5 a column to lay them out, against two passes over the columns and the loss.
double steps_for_gram(index_t k, double bytes) {
  const double m = static_cast<double>(k);
  return (0.03 * m * m + 1.5 * m) / (m * bytes / 6.0 + 40.0);
}

bool wants_gram(const Problem& in, const Settings& settings) {
  if (in.summary || !in.loss->quadratic() || settings.mode == Mode::columns) return false;
  const index_t n = in.design->rows(), p = in.design->columns();
  return settings.mode == Mode::gram || (!in.design->sparse() && p <= kFullGram && n >= 2 * p);
}

}  // namespace

Solver::Solver(const Problem& problem, const Settings& settings)
    : in_(problem),
      set_(settings),
      loss_(problem.loss),
      x_{*problem.design, problem.centre, problem.scale, problem.intercept},
      n_(problem.design->rows()),
      work_(problem),
      screen_(problem, x_),
      eta_(n_),
      residual_(n_),
      weights_(n_),
      b0_(problem.start) {
  budget_.limit = settings.max_iter;
  budget_.interrupted = settings.interrupted;
  budget_.context = settings.context;
  for (index_t i = 0; i < n_; ++i) eta_[i] = in_.offset[i] + b0_;
  look();
  if (wants_gram(problem, settings)) {
    enter_gram_space();
    return;
  }
  screen_.at(residual_.data());
  std::vector<double> products;
  if (!in_.products || b0_ != in_.start) {
    products.resize(in_.design->columns());
    in_.design->dots(nullptr, in_.design->columns(), residual_.data(), products.data());
  }
  screen_.know_all(products.empty() ? in_.products : products.data(), work_);
}

double Solver::first_lambda() const {
  if (gram_space_ || in_.l1_ratio == 0.0) return 0.0;
  double largest = 0.0;
  for (index_t j : work_.included)
    if (in_.factor[j] > 0.0) largest = std::max(largest, std::abs(work_.outside[j]) / (in_.l1_ratio * in_.factor[j]));
  return largest;
}

void Solver::start(double lam, double tol) {
  begin(lam, tol);
  const bool bare = lam == 0.0 && loss_->may_separate();
  // The referee refits unpenalised features exactly, which moves all other slopes a little.
  const bool refits = std::any_of(work_.terms.begin(), work_.terms.end(), [](const Term& t) { return t.l1 == 0.0; });
  const double share = careful_ || (refits && in_.l1_ratio * lam > 0.0) ? kDoubt : kSafety;
  target_ = share * (bare ? std::min(tol, kSeparationTol) : tol) * in_.reference;
  last_ = std::numeric_limits<double>::infinity();
  idle_ = 0;
  stage_ = Stage::inside;
}

// Prox-Newton (Lee, Sun and Saunders 2014) on a working set that grows by violators of the optimality conditions.
bool Solver::advance() {
  while (true) {
    if (stage_ == Stage::stepping) {
      if (!line_search()) ++idle_;
      stage_ = Stage::inside;
    }
    if (stage_ == Stage::modelling) {
      if (step_to_aim()) return true;
      if (budget_.stop) return false;
    }
    const bool out_of_time = budget_.used >= budget_.limit || idle_ >= kStall;
    if (stage_ == Stage::inside && moved_ && look()) {
      stage_ = Stage::looking;
      return true;
    }
    if (stage_ == Stage::inside || stage_ == Stage::looking) {
      // 1. Certificate of the working set, then of all features.
      stage_ = Stage::inside;
      gap_ = gap(false);
      if (gap_ <= target_ || out_of_time || by_products()) {  // a look at all features costs no more than a product
        ask_suspects();
        if (request_.any()) return true;
        continue;
      }
    } else if (stage_ == Stage::suspects) {
      if (budget_.used >= budget_.limit || !violated(request_.columns)) {
        ask_rest();
        if (request_.any()) return true;
        continue;
      }
      grow();
    } else {
      gap_ = gap(true);
      status_ = gap_ <= target_ ? Status::converged : (idle_ >= kStall ? Status::stalled : Status::max_iter);
      if (gap_ <= target_) remember_miss();
      if (gap_ <= target_ || out_of_time) return false;
      grow();
    }
    // 2. What the last step has won decides how old the model's weights and how coarse its solution may be. A step
    // beyond a lambda's first is one that a better model might have spared: when these have cost as much as new
    // weights do, or those that are left at this rate will, it's time for them. Where they are dear, and old ones won
    // little, Newton's step without a matrix comes first.
    stage_ = Stage::inside;
    if (by_products()) {
      slow_ = idle_ > kPatience;  // then a matrix decides
      polish_ = true;
    } else if (std::isfinite(last_)) {
      const double whole = steps_for_gram(work_.size(), in_.design->bytes());
      const double price = gram_.rough() ? whole / static_cast<double>(rows_apart(n_, work_.size())) : whole;
      const double won = std::log(last_ / gap_), left = gap_ > target_ ? std::log(gap_ / target_) : 0.0;
      if (price > kDear && can_polish()) {
        polish_ = !polish_ && (refresh_ || left > kFew * won);
        refresh_ = spare_steps_ > price || idle_ > 1;
      } else {
        refresh_ = refresh_ || ++spare_steps_ > price || left > (1.0 + price) * won;
      }
      if (refresh_) polish_ = false;
    }
    if (gap_ > 0.5 * last_ && !rough_) coarseness_ = std::max(1e-3 * coarseness_, 1e-23);
    idle_ = gap_ < 0.9 * last_ || gained_ > std::max(kGain * target_, kCreep * gap_) ? 0 : idle_ + 1;
    gained_ = 0.0;
    last_ = std::min(gap_, last_);
    // 3. Model, its minimum, line search.
    stage_ = Stage::modelling;
    if (ask_gram()) return true;
  }
}

void Solver::begin(double lam, double tol) {
  previous_ = first_ ? lam : lam_;
  lam_ = lam;
  if (gram_space_ && lam == 0.0) leave_gram_space();  // no penalty forgives rounding: refine on the rows
  work_.set_lambda(lam);
  // A diagonal that the curvature doesn't exceed bounds no gap: what nothing holds has to get its own first.
  if (outdated_ && loss_->coupled() && !by_products()) std::fill(work_.curvature.begin(), work_.curvature.end(), 0.0);
  const double reach = 2.0 * lam - previous_;
  const bool small = n_ >= in_.design->columns() && work_.size() <= 50 + 3 * work_.active() / 2;
  const bool may_shrink = !gram_space_ && !small && (!loss_->quadratic() || work_.size() > 3 * work_.active() + 300);
  if (may_shrink) {
    std::vector<index_t> places;
    for (index_t k = 0; k < work_.size(); ++k) {
      const bool strong = std::abs(work_.slope[k]) >= in_.l1_ratio * in_.factor[work_.list[k]] * reach;
      if (work_.beta[k] != 0.0 || work_.terms[k].l1 == 0.0 || strong) places.push_back(k);
    }
    if (static_cast<index_t>(places.size()) < work_.size()) {
      if (!gram_.empty() && gram_.size() == work_.size()) gram_.keep(places);
      work_.keep(places);
    }
  }
  // Dense wide columns share much: with coefficients that fit this lambda, most of what the old slopes call for isn't
  // needed.
  const bool wide = !in_.design->sparse() && n_ < in_.design->columns();
  if (!gram_space_ && (!wide || work_.active() == 0)) admit(work_.violators(growth()));
  coarseness_ = 1e-3 * tol;
  slow_ = full_ = false;
  first_ = false;
  opening_ = true;
  rough_ = polish_ = false;
}

index_t Solver::growth() const {
  if (lam_ * in_.l1_ratio == 0.0) return in_.design->columns();  // ridge: every feature is active
  return std::max<index_t>(100, 2 * work_.active());
}

// Violators join, and so do those that are near it: they would follow in the next rounds, or at the next lambda. Where
// there are more rows than features more of them come along, since each growth of the model's matrix costs a pass.
void Solver::admit(const std::vector<index_t>& violators) {
  if (violators.empty()) return;
  const index_t from = work_.size(), active = work_.active(), idle = from - active;
  for (index_t j : violators) work_.add(j);
  if (n_ < in_.design->columns())
    for (index_t j : work_.candidates(growth(), kSuspect)) work_.add(j);
  else
    for (index_t j : work_.candidates(std::max<index_t>(0, 8 + active / 5 - idle), kAhead)) work_.add(j);
  // What was known of them may be of an older point, or a bound's estimate.
  x_.dots(work_.list.data() + from, work_.size() - from, residual_.data(), work_.slope.data() + from);
}

bool Solver::look() {
  moved_ = false;
  cost_ = {};
  if (gram_space_) {
    work_.slope = gram_start_;
    for (index_t k = 0; k < work_.size(); ++k)
      if (work_.beta[k] != 0.0) simd::axpy(-work_.beta[k], gram_.column(k), work_.slope.data(), work_.size());
    return false;
  }
  if (careful_) predict();
  if (careful_ || !evaluated_) evaluate();
  evaluated_ = false;
  raise();
  if (in_.intercept && !loss_->shift_invariant()) centre_intercept();
  request_ = {Need::inside, work_.list, {}, false};
  return request_.any();
}

void Solver::evaluate() {
  loss_now_ = loss_->evaluate(in_.y, in_.w, eta_.data(), n_, residual_.data(), weights_.data());
}

void Solver::raise() { loss_->raise(in_.y, in_.w, eta_.data(), n_, caution_.share(), weights_.data()); }

// Newton, held between points where the residual's sums have different signs; before there are two, a step goes no
// further than the curvature can be trusted. The gap allows for what is left of the sum; where that isn't little, it is
// made smaller still.
void Solver::centre_intercept() {
  const double enough = (idle_ > 0 ? 1e-7 : 1e-5) * set_.tol;
  const double unit = std::sqrt(in_.reference);
  double low = -kNoLimit, high = kNoLimit, reach = loss_->reach(), least = kNoLimit;
  for (int step = 0; step < 100; ++step) {
    const double total = simd::sum(residual_.data(), n_), curvature = simd::sum(weights_.data(), n_);
    off_ = curvature > 0.0 ? std::abs(total) / std::sqrt(curvature) : 0.0;
    if (!(off_ > enough * unit)) return;
    const auto made_of = [&] { return simd::absolute_sum(residual_.data(), n_) + curvature * std::abs(b0_); };
    const bool rounding = idle_ == 0 && off_ > 0.5 * least && std::abs(total) <= kRounding * made_of();
    least = std::min(least, off_);
    (total > 0.0 ? low : high) = b0_;
    double next = b0_ + std::max(-reach, std::min(reach, total / curvature));
    if (next != b0_ && !(next > low && next < high)) next = low + 0.5 * (high - low);
    if (rounding || !std::isfinite(next) || next == b0_ || next == low || next == high) {
      off_ = 0.0;  // but for rounding
      return;
    }
    const double move = next - b0_;
    b0_ = next;
    for (index_t i = 0; i < n_; ++i) eta_[i] += move;
    if (shift_slopes(move, total, curvature, 0.1 * enough * unit)) return;
    reach *= 1.5;
    evaluate();
    raise();
  }
}

// Slopes after a move of the intercept, as curvature foretells them, if what that leaves of their sum is little: of a
// self-concordant loss e^|move| - 1 - |move| times the curvature at most.
bool Solver::shift_slopes(double move, double total, double curvature, double enough) {
  const double bent = (0.5 + std::abs(move)) * move * move * curvature;
  const double left = (std::abs(total - move * curvature) + bent) / std::sqrt(curvature);
  if (!loss_->self_concordant() || !(left <= enough)) return false;
  for (index_t i = 0; i < n_; ++i) residual_[i] -= move * weights_[i];
  off_ = left;
  loss_now_ += move * (0.5 * move * curvature - total);
  return true;
}

// Features that bounds leave in doubt: first those that look like violators, which nearly always are all there are.
void Solver::ask_suspects() {
  stage_ = Stage::suspects;
  known_ = false;
  request_ = {};
  doubtful_.clear();
  if (gram_space_) return;
  screen_.at(residual_.data());
  doubtful_ = screen_.doubtful(work_, lam_, refit_reach());
  for (index_t j : doubtful_)
    if (screen_.blind() || std::abs(work_.outside[j]) >= kSuspect * work_.term(j).l1) request_.columns.push_back(j);
  request_.all = screen_.nearly_all(request_.columns);
}

void Solver::ask_rest() {
  stage_ = Stage::verified;
  const std::vector<index_t> first = std::move(request_.columns);  // ascending, as doubtful_ is
  request_ = {};
  if (known_) return;
  std::set_difference(doubtful_.begin(), doubtful_.end(), first.begin(), first.end(),
                      std::back_inserter(request_.columns));
  request_.all = screen_.nearly_all(request_.columns);
}

void Solver::receive(const double* products) {
  if (request_.need == Need::outside) return screen_.know(request_.columns, products, work_);
  work_.slope.assign(products, products + work_.size());
  x_.centre_dots(work_.list.data(), work_.size(), residual_.data(), work_.slope.data());
}

void Solver::receive_all(const double* products) {
  screen_.know_all(products, work_);
  known_ = true;
}

bool Solver::violated(const std::vector<index_t>& features) const {
  return std::any_of(features.begin(), features.end(),
                     [&](index_t j) { return work_.term(j).violation(0.0, work_.outside[j]) > 0.0; });
}

void Solver::grow() {
  const std::vector<index_t> violators = work_.violators(growth());
  if (violators.empty()) return;
  last_ = std::numeric_limits<double>::infinity();
  admit(violators);
}

double Solver::scaling_cost(double s) const {
  if (s >= 1.0) return 0.0;
  if (!gram_space_) {
    if (s != cost_.scale)
      cost_ = {s, bridle::scaling_cost(*loss_, in_.y, in_.w, eta_.data(), residual_.data(), weights_.data(), n_, s)};
    return cost_.value;
  }
  double loss = gram_loss_;
  for (index_t k = 0; k < work_.size(); ++k) loss -= 0.5 * work_.beta[k] * (gram_start_[k] + work_.slope[k]);
  return (1.0 - s) * (1.0 - s) * std::max(0.0, loss);
}

// The refit of unpenalised features and of the intercept, in the loss's norm, times the longest column there.
double Solver::refit_reach() const {
  double refit = off_, longest = 0.0;
  for (index_t k = 0; k < work_.size(); ++k) {
    const double length = std::sqrt(work_.curvature[k]);
    longest = std::max(longest, length);
    if (length > 0.0 && GapSum::unheld(work_.terms[k], work_.slope[k])) refit += std::abs(work_.slope[k]) / length;
  }
  return refit * longest;
}

double Solver::gap(bool all) const {
  GapSum sum(in_.reference, refit_reach());
  for (index_t k = 0; k < work_.size(); ++k) sum.limit(work_.terms[k], work_.slope[k]);
  const auto outsiders = [&](auto&& use) {
    if (!all) return;
    for (index_t j : doubtful_)
      if (!work_.contains(j)) use(work_.term(j), work_.outside[j]);
  };
  outsiders([&](const Term& term, double slope) { sum.limit(term, slope); });
  for (index_t k = 0; k < work_.size(); ++k) sum.add(work_.terms[k], work_.beta[k], work_.slope[k], work_.curvature[k]);
  outsiders([&](const Term& term, double slope) { sum.add(term, 0.0, slope, 0.0); });
  return sum.total(scaling_cost(sum.scale())) + off_ * std::sqrt(in_.reference);
}

void Solver::enter_gram_space() {
  gram_space_ = moved_ = true;
  for (index_t j : work_.included) work_.add(j);
  const index_t k = work_.size();
  gram_.reset(weights_.data(), n_);
  gram_.extend(x_, work_.list.data(), k);
  gram_start_.resize(k);
  x_.dots(work_.list.data(), k, residual_.data(), gram_start_.data());
  gram_loss_ = loss_now_;
  for (index_t i = 0; i < k; ++i) work_.curvature[i] = gram_.at(i, i);
}

void Solver::leave_gram_space() {
  gram_space_ = false;
  careful_ = moved_ = true;
  predict();
}

void Solver::predict() {
  std::vector<double> coef(work_.size());
  for (index_t k = 0; k < work_.size(); ++k) coef[k] = work_.beta[k] / in_.scale[work_.list[k]];
  for (index_t i = 0; i < n_; ++i) eta_[i] = in_.offset[i] + b0_;
  in_.design->add(work_.list.data(), work_.size(), coef.data(), eta_.data());
}

void Solver::resume(double lam, const std::vector<index_t>& list, const std::vector<double>& beta, const Gram& gram,
                    double b0) {
  for (index_t j : list) work_.add(j);
  work_.beta = beta;
  gram_ = gram;
  b0_ = b0;
  lam_ = lam;
  first_ = false;
  leave_gram_space();
}

void Solver::record(PathResult& out) const {
  double worst = 0.0, loss = gram_loss_;
  std::vector<std::pair<index_t, double>> row;
  for (index_t k = 0; k < work_.size(); ++k) {
    worst = std::max(worst, work_.terms[k].violation(work_.beta[k], work_.slope[k]));
    loss -= 0.5 * work_.beta[k] * (gram_space_ ? gram_start_[k] + work_.slope[k] : 0.0);
    if (work_.beta[k] != 0.0) row.emplace_back(work_.list[k], work_.beta[k] / in_.scale[work_.list[k]]);
  }
  for (index_t j : doubtful_)
    if (!work_.contains(j)) worst = std::max(worst, work_.term(j).violation(0.0, work_.outside[j]));
  std::sort(row.begin(), row.end());
  for (const auto& entry : row) {
    out.columns.push_back(entry.first);
    out.values.push_back(entry.second);
  }
  out.starts.push_back(static_cast<index_t>(out.columns.size()));
  out.intercept.push_back(b0_);
  out.gap.push_back(gap_);
  out.kkt.push_back(worst);
  out.loss.push_back(gram_space_ ? std::max(0.0, loss) : loss_now_);
  out.status.push_back(static_cast<int>(status_));
  out.n_iter.push_back(budget_.used);
}

}  // namespace bridle
