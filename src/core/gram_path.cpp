#include "gram_path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gap.hpp"
#include "gram_space.hpp"

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kWorstLoss = 1e-7;  // share of the loss that rounding may have made
constexpr int kFollows = 3;          // attempts before descent takes over
constexpr index_t kSmall = 64;       // active set whose factor is made anew for every ridge
constexpr double kOldRidge = 4.0;    // ratio of ridges up to which a factor still serves as preconditioner
constexpr double kRefined = 1e-5;    // share of the tolerance that may be left then
constexpr int kRefinements = 25;
constexpr double kTouching = 1e-12;  // share of a threshold that is rounding
constexpr size_t kPast = 3;          // directions that the next one is guessed from
constexpr double kParallel = 1e-8;   // share of a direction's squared length that has to be new

}  // namespace

GramPath::GramPath(const Problem& problem, const Settings& settings) : in_(problem), set_(settings) {
  budget_.limit = settings.max_iter;
  budget_.interrupted = settings.interrupted;
  budget_.context = settings.context;
  const Summary& sums = *problem.summary;
  const index_t p = sums.p;
  for (index_t j = 0; j < p; ++j)
    if (std::isfinite(problem.factor[j])) list_.push_back(j);
  const index_t k = static_cast<index_t>(list_.size());
  GramSpace space(sums, list_, problem.scale, problem.intercept);
  first_ = std::move(space.slope);
  size_ = std::move(space.size);
  first_loss_ = space.loss;
  for (index_t j : list_) {
    const bool kink = problem.l1_ratio * problem.factor[j] > 0.0;  // at 0, where a bound of 0 then changes nothing else
    plain_ = plain_ && ((kink && problem.lower[j] == 0.0) || std::isinf(problem.lower[j])) &&
             ((kink && problem.upper[j] == 0.0) || std::isinf(problem.upper[j]));
  }
  gram_.assign(std::move(space.matrix), std::move(space.shift), problem.w, problem.w ? problem.design->rows() : 0);
  length_.resize(k);
  for (index_t a = 0; a < k; ++a) length_[a] = std::sqrt(gram_.at(a, a));
  slope_ = first_;
  beta_.assign(k, 0.0);
  sign_.assign(k, 0.0);
  rate_.assign(k, 0.0);
  member_.assign(k, 0);
  barred_.assign(k, 0);
  terms_.resize(k);
  ridge_ = problem.l1_ratio < 1.0;
}

void GramPath::begin(double lam) {
  budget_.used = 0;
  previous_ = started_ ? lam_ : kInfinity;
  lam_ = lam;
  for (size_t k = 0; k < list_.size(); ++k) {
    const index_t j = list_[k];
    const double strength = lam * in_.factor[j];
    terms_[k] = {strength * in_.l1_ratio, strength * (1.0 - in_.l1_ratio), in_.lower[j] * in_.scale[j],
                 in_.upper[j] * in_.scale[j]};
  }
}

// Features without an L1 part are in from the beginning; the others enter from the largest slope that is left.
void GramPath::start() {
  started_ = true;
  previous_ = lam_;
  if (plain_ && prepare() && !factor_.members().empty()) {
    aim(0.0);
    move(1.0);
    look();
  }
  double top = lam_;
  if (in_.l1_ratio > 0.0)
    for (size_t k = 0; k < list_.size(); ++k)
      if (in_.factor[list_[k]] > 0.0 && may_enter(k, slope_[k]))
        top = std::max(top, std::abs(slope_[k]) / (in_.l1_ratio * in_.factor[list_[k]]));
  previous_ = top > lam_ * (1.0 + kTouching) ? top : lam_;
}

Status GramPath::solve(double lam) {
  begin(lam);
  const double target = kSafety * set_.tol * in_.reference;
  if (!started_) start();
  const std::vector<double> before = beta_;
  double last = kInfinity, enough = 1e-3 * set_.tol * in_.reference;
  int idle = 0;
  const auto retreat = [&](double from) {  // near-dependent columns can send a direct solve anywhere
    if (objective() <= from) return;
    beta_ = before;
    aligned_ = false;
    look();
  };
  const double start = objective();
  for (int attempt = 0;; ++attempt) {
    if (attempt < kFollows && plain_ && follow()) {
      aligned_ = true;
    } else if (!budget_.stop && budget_.used < budget_.limit) {
      aligned_ = false;
      GramQuadratic model(gram_, slope_);
      const Precision precision{enough, std::sqrt(enough / in_.reference), 1e-15 * std::sqrt(in_.reference)};
      minimise(model, terms_, beta_, precision, factor_, budget_);
      ++idle;
    }
    previous_ = lam_;
    unit_ = 0.0;
    if (budget_.stop) return Status::interrupted;
    look();
    gap_ = gap(true);
    if (gap_ <= target) return loss_is_sure() ? Status::converged : Status::rounding;
    gap_ = gap(false);
    if (gap_ <= target) return Status::rounding;
    retreat(start);
    if (idle >= kStall) return Status::rounding;
    if (budget_.used >= budget_.limit) return Status::max_iter;
    if (gap_ > 0.5 * last) enough = std::max(1e-3 * enough, 1e-26 * in_.reference);
    if (gap_ < 0.9 * last) idle = 0;
    last = std::min(gap_, last);
  }
}

bool GramPath::prepare() {
  if (ridge_ && started_) {
    const bool small = static_cast<index_t>(factor_.members().size()) <= kSmall;
    if (held_.empty() || small || held_lam_ > kOldRidge * lam_ || held_lam_ < lam_) {
      aligned_ = aligned_ && held_lam_ == lam_;
      held_ = terms_;
      held_lam_ = lam_;
    }
    exact_ = held_lam_ == lam_;
  } else if (held_.empty()) {
    held_ = terms_;
    held_lam_ = lam_;
  }
  if (aligned_) return true;
  std::vector<index_t> wanted;
  for (index_t k = 0; k < gram_.size(); ++k)
    if (gram_.at(k, k) > 0.0 && (terms_[k].l1 == 0.0 || beta_[k] != 0.0)) wanted.push_back(k);
  factor_.sync(gram_, held_, wanted);
  std::fill(member_.begin(), member_.end(), 0);
  std::fill(barred_.begin(), barred_.end(), 0);
  for (index_t k : factor_.members()) {
    member_[k] = 1;
    sign_[k] = beta_[k] > 0.0 ? 1.0 : -1.0;
  }
  unit_ = 0.0;
  lower_.clear();
  past_.clear();
  return factor_.parked().empty();
}

bool GramPath::follow() {
  if (!prepare()) return false;
  double share = 1.0;  // of the way from the old thresholds to the new ones, what is left
  index_t skip = -1;
  for (index_t steps = 0; steps < 20 + 4 * gram_.size(); ++steps) {
    aim(share);
    const Event event = next_event(share, skip);
    move(event.at);
    share *= 1.0 - event.at;
    skip = -1;
    if (!budget_.spend()) return true;  // the caller sees why
    if (event.enters >= 0) {
      const index_t k = event.enters;
      if (factor_.append(gram_, held_, k)) {
        member_[k] = 1;
        sign_[k] = event.sign;
        unit_ = 0.0;
      } else {
        barred_[k] = 1;  // its slope goes with those of the active ones
      }
    } else if (event.place >= 0) {
      skip = factor_.members()[event.place];
      beta_[skip] = 0.0;
      member_[skip] = 0;
      factor_.remove(event.place);
      std::fill(barred_.begin(), barred_.end(), 0);
      unit_ = 0.0;
      lower_.clear();
      past_.clear();
    } else {
      return true;
    }
  }
  return false;
}

// The direction that ends at this lambda's optimum of the active set, and the rates of all slopes along it.
void GramPath::aim(double share) {
  const std::vector<index_t>& members = factor_.members();
  const size_t m = members.size();
  const double unit = share * (previous_ - lam_);
  std::vector<double>& residual = scratch_;
  residual.resize(m);
  if (!ridge_ && unit > 0.0) {  // a lasso goes along a line whose direction only the active set and its signs decide
    if (unit_ > 0.0) {
      const double ratio = unit / unit_;
      for (double& d : direction_) d *= ratio;
      for (double& r : rate_) r *= ratio;
      unit_ = unit;
      return;
    }
    const size_t known = lower_.size();
    lower_.resize(m);
    for (size_t i = known; i < m; ++i) lower_[i] = sign_[members[i]] * in_.factor[list_[members[i]]];
    factor_.solve_lower(lower_.data(), static_cast<index_t>(known));
    direction_ = lower_;
    factor_.solve_upper(direction_.data());
    for (size_t i = 0; i < m; ++i) {
      direction_[i] *= unit;
      residual[i] = unit * sign_[members[i]] * in_.factor[list_[members[i]]];
    }
    set_rates(residual);
    unit_ = unit;
    return;
  }
  for (size_t i = 0; i < m; ++i) {
    const index_t k = members[i];
    residual[i] = slope_[k] - terms_[k].ridge * beta_[k] - (terms_[k].l1 > 0.0 ? sign_[k] * terms_[k].l1 : 0.0);
  }
  if (exact_) {
    direction_ = residual;
    factor_.solve(direction_.data());
    set_rates(residual);
  } else {
    refine(residual);
  }
  if (ridge_) remember();
  unit_ = unit;
}

// Slopes of the active ones go where they are sent; the others' by products with columns, of which there are
// fewer on one of the two sides.
void GramPath::set_rates(const std::vector<double>& residual) {
  const std::vector<index_t>& members = factor_.members();
  const index_t m = static_cast<index_t>(members.size()), k = gram_.size();
  if (2 * m <= k) {
    std::fill(rate_.begin(), rate_.end(), 0.0);
    gram_.subtract(members, direction_.data(), rate_.data());
  } else {
    spread_.assign(k, 0.0);
    for (index_t i = 0; i < m; ++i) spread_[members[i]] = direction_[i];
    for (index_t j = 0; j < k; ++j)
      if (!member_[j]) rate_[j] = -simd::dot(gram_.column(j), spread_.data(), k);
  }
  for (index_t i = 0; i < m; ++i) rate_[members[i]] = terms_[members[i]].ridge * direction_[i] - residual[i];
}

// The factor belongs to a larger ridge: conjugate gradients with it as preconditioner (condition at most kOldRidge).
void GramPath::refine(std::vector<double>& residual) {
  const std::vector<index_t>& members = factor_.members();
  const index_t m = static_cast<index_t>(members.size()), k = gram_.size();
  const auto dot = [m](const std::vector<double>& a, const std::vector<double>& b) {
    return simd::dot(a.data(), b.data(), m);
  };
  direction_.assign(m, 0.0);
  std::fill(rate_.begin(), rate_.end(), 0.0);
  reuse(residual);
  const double enough = kRefined * set_.tol * in_.reference;
  std::vector<double> z, along, image(k), product;
  double now = 0.0;
  for (int step = 0; step < kRefinements; ++step) {
    z = residual;
    factor_.solve(z.data());
    const double next = dot(residual, z);
    if (!(next > enough)) break;
    if (step == 0) {
      along = z;
    } else {
      for (index_t i = 0; i < m; ++i) along[i] = z[i] + next / now * along[i];
    }
    now = next;
    std::fill(image.begin(), image.end(), 0.0);
    gram_.subtract(members, along.data(), image.data());
    apply(along, image, product);
    const double length = now / dot(along, product);
    simd::axpy(length, image.data(), rate_.data(), k);
    simd::axpy(length, along.data(), direction_.data(), m);
    simd::axpy(-length, product.data(), residual.data(), m);
  }
}

// product = (H + ridge) v on the active set, given image = -H v; v and product (|A|,), image (k,)
void GramPath::apply(const std::vector<double>& v, const std::vector<double>& image,
                     std::vector<double>& product) const {
  const std::vector<index_t>& members = factor_.members();
  product.resize(members.size());
  for (size_t i = 0; i < members.size(); ++i)
    product[i] = terms_[members[i]].ridge * v[i] - image[members[i]];
}

// The best that the last directions can do together, whose products with H are known: on a smooth path nearly all.
void GramPath::reuse(std::vector<double>& residual) {
  const std::vector<index_t>& members = factor_.members();
  const index_t m = static_cast<index_t>(members.size()), k = gram_.size();
  std::vector<std::vector<double>> known, products, images;  // conjugate, of length 1 in the norm of H + ridge
  for (auto step = past_.rbegin(); step != past_.rend(); ++step) {
    std::vector<double> v(m), image = step->second, product;
    for (index_t i = 0; i < m; ++i) v[i] = step->first[members[i]];
    apply(v, image, product);
    const double before = simd::dot(v.data(), product.data(), m);
    for (size_t e = 0; e < known.size(); ++e) {
      const double c = simd::dot(v.data(), products[e].data(), m);
      simd::axpy(-c, known[e].data(), v.data(), m);
      simd::axpy(-c, products[e].data(), product.data(), m);
      simd::axpy(-c, images[e].data(), image.data(), k);
    }
    const double left = simd::dot(v.data(), product.data(), m);
    if (!(left > kParallel * before)) continue;
    const double length = simd::dot(v.data(), residual.data(), m) / left, unit = 1.0 / std::sqrt(left);
    simd::axpy(length, v.data(), direction_.data(), m);
    simd::axpy(length, image.data(), rate_.data(), k);
    simd::axpy(-length, product.data(), residual.data(), m);
    for (std::vector<double>* x : {&v, &image, &product})
      for (double& e : *x) e *= unit;
    known.push_back(std::move(v));
    products.push_back(std::move(product));
    images.push_back(std::move(image));
  }
}

// Keep the direction for the next ones.
void GramPath::remember() {
  if (past_.size() == kPast) past_.erase(past_.begin());
  std::vector<double> spread(gram_.size(), 0.0);
  for (size_t i = 0; i < direction_.size(); ++i) spread[factor_.members()[i]] = direction_[i];
  past_.emplace_back(std::move(spread), rate_);
}

GramPath::Event GramPath::next_event(double share, index_t skip) const {
  Event event{1.0, -1, -1, 0.0};
  const std::vector<index_t>& members = factor_.members();
  for (size_t i = 0; i < members.size(); ++i) {
    const index_t k = members[i];
    if (terms_[k].l1 == 0.0 || !(direction_[i] * sign_[k] < 0.0)) continue;
    const double t = -beta_[k] / direction_[i];
    if (t < event.at) event = {std::max(t, 0.0), static_cast<index_t>(i), -1, 0.0};
  }
  const double fall = share * (previous_ - lam_) * in_.l1_ratio;  // of the threshold, for a factor of 1
  for (index_t k = 0; k < gram_.size(); ++k) {
    if (member_[k] || barred_[k] || k == skip || terms_[k].l1 == 0.0) continue;
    const double drop = fall * in_.factor[list_[k]], level = terms_[k].l1 + drop;
    for (const double sign : {1.0, -1.0}) {
      const double room = level - sign * slope_[k], closing = sign * rate_[k] + drop;
      // Most features stay below their threshold all the way, and one that only just reaches it has still no part.
      if (!(closing > room * (1.0 + kTouching)) || !(closing > 0.0) || !may_enter(k, sign)) continue;
      const double t = std::max(0.0, room / closing);
      if (t < event.at) event = {t, -1, k, sign};
    }
  }
  return event;
}

void GramPath::move(double t) {
  const std::vector<index_t>& members = factor_.members();
  for (size_t i = 0; i < members.size(); ++i) beta_[members[i]] += t * direction_[i];
  simd::axpy(t, rate_.data(), slope_.data(), gram_.size());
}

void GramPath::look() {
  active_.clear();
  scratch_.clear();
  for (index_t k = 0; k < gram_.size(); ++k) {
    if (beta_[k] == 0.0) continue;
    active_.push_back(k);
    scratch_.push_back(beta_[k]);
  }
  slope_ = first_;
  gram_.subtract(active_, scratch_.data(), slope_.data());
}

double GramPath::loss() const {
  double loss = first_loss_;
  for (index_t k = 0; k < gram_.size(); ++k) loss -= 0.5 * beta_[k] * (first_[k] + slope_[k]);
  return std::max(0.0, loss);
}

double GramPath::objective() const {
  double total = loss();
  for (index_t k = 0; k < gram_.size(); ++k) total += terms_[k].value(beta_[k]);
  return total;
}

bool GramPath::loss_is_sure() const {
  const double length = length_of_terms();
  return in_.summary->rounding * length * length <= kWorstLoss * loss();
}

double GramPath::length_of_terms() const {
  double length = std::hypot(in_.summary->y_rms, in_.intercept ? 0.0 : in_.summary->start);
  for (index_t k = 0; k < gram_.size(); ++k) length += std::abs(beta_[k]) * size_[k];
  return length;
}

// Entries j, k of the covariance matrix are known to a share e of size_j size_k, so slope j to e size_j times
// sum_k size_k |b_k| and the length of y: on the rows it may be anything in between.
double GramPath::gap(bool on_rows) const {
  const index_t n = gram_.size();
  const double noise = on_rows ? in_.summary->rounding * length_of_terms() : 0.0;
  double refit = 0.0, longest = 0.0;  // as Solver::refit_reach, and the noise
  for (index_t k = 0; k < n; ++k) {
    longest = std::max(longest, length_[k]);
    if (length_[k] > 0.0 && GapSum::unheld(terms_[k], slope_[k]))
      refit += (std::abs(slope_[k]) + noise * size_[k]) / length_[k];
  }
  GapSum sum(in_.reference, refit * longest);
  for (index_t k = 0; k < n; ++k) sum.limit(terms_[k], slope_[k], noise * size_[k]);
  for (index_t k = 0; k < n; ++k) sum.add(terms_[k], beta_[k], slope_[k], gram_.at(k, k), noise * size_[k]);
  const double s = sum.scale();
  return sum.total(s < 1.0 ? (1.0 - s) * (1.0 - s) * loss() : 0.0);
}

double GramPath::intercept() const {
  if (!in_.intercept) return 0.0;
  double b0 = in_.start;
  for (index_t k = 0; k < gram_.size(); ++k)
    if (beta_[k] != 0.0) b0 -= beta_[k] / in_.scale[list_[k]] * gram_.shift(k);
  return b0;
}

void GramPath::record(Status status, PathResult& out) const {
  double worst = 0.0;
  for (index_t k = 0; k < gram_.size(); ++k) {
    worst = std::max(worst, terms_[k].violation(beta_[k], slope_[k]));
    if (beta_[k] == 0.0) continue;
    out.columns.push_back(list_[k]);
    out.values.push_back(beta_[k] / in_.scale[list_[k]]);
  }
  out.starts.push_back(static_cast<index_t>(out.columns.size()));
  out.intercept.push_back(intercept());
  out.gap.push_back(gap_);
  out.kkt.push_back(worst);
  out.loss.push_back(loss());
  out.status.push_back(static_cast<int>(status));
  out.n_iter.push_back(budget_.used);
}

}  // namespace bridle
