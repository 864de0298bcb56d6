// Newton's step without a matrix of its own, where new weights for the model would cost many steps.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "conjugate.hpp"
#include "solver.hpp"

namespace bridle {
namespace {

constexpr index_t kProducts = 30;    // of conjugate gradients in one round
constexpr index_t kMostProducts = 300;  // the same, with nothing but a diagonal that preconditions
constexpr double kSolved = 1e-2;        // of the squared slopes, that these leave
constexpr int kRounds = 4;           // while coefficients become 0
constexpr int kFewProducts = 3;      // that newer weights wouldn't spare
constexpr double kForcing = 1e-2;    // share of what slopes are off by to which they are solved: Newton's step is no better

}  // namespace

bool Solver::can_polish() const {
  return !gram_space_ && !loss_->quadratic() && !loss_->coupled() && !loss_->sharp() && shared_ == 0 && use_gram() &&
         gram_.size() == work_.size() && !factor_.stale(gram_, work_.terms);
}

// Conjugate gradients on the columns, preconditioned by the factor of the old matrix, or by a diagonal where there is none.
// Coefficients that would cross 0 or a bound stop there, and the others go on without them.
bool Solver::polish() {
  const index_t k = work_.size();
  before_ = work_.beta;
  std::vector<double> slope = work_.slope, moved, image;
  const std::unique_ptr<Curvature> coupling = loss_->coupled() ? loss_->second(in_.w, eta_.data(), n_) : nullptr;
  ColumnQuadratic model(x_, work_.list, residual_.data(), weights_.data(), nullptr, coupling.get());
  if (coupling) enter(model, slope);
  for (int round = 0; round < kRounds && !budget_.stop; ++round) {
    std::vector<index_t> free;
    for (index_t i = 0; i < k; ++i)
      if (work_.curvature[i] > 0.0 && is_free(work_.terms[i], work_.beta[i])) free.push_back(i);
    if (!coupling) factor_.sync(gram_, work_.terms, free);
    const std::vector<index_t> members = coupling ? free : factor_.members();
    const std::vector<double> step = newton_step(model, members, slope);
    bool blocked = false;
    moved.resize(members.size());
    for (size_t i = 0; i < members.size(); ++i) {
      const double from = work_.beta[members[i]], b = move_to_limit(work_.terms[members[i]], from, step[i]);
      work_.beta[members[i]] = b;
      moved[i] = b - from;
      blocked = blocked || !is_free(work_.terms[members[i]], b);
    }
    if (!blocked) break;
    image.resize(members.size());
    model.product(members, moved.data(), image.data());
    for (size_t i = 0; i < members.size(); ++i) slope[members[i]] -= image[i];
  }
  double constant = 0.0;
  for (index_t i = 0; i < k; ++i)
    constant -= (work_.beta[i] - before_[i]) / in_.scale[work_.list[i]] * model.shift(i);
  ask_step(constant);
  return request_.any();
}

// Coefficients at 0 that the penalty doesn't hold there get away from it, by one pass under the diagonal that the curvature
// doesn't exceed, so that Newton's step takes them along; slopes (k,) follow.
void Solver::enter(ColumnQuadratic& model, std::vector<double>& slope) {
  const index_t k = work_.size();
  std::vector<index_t> places;
  std::vector<double> moves;
  model.measure();
  for (index_t i = 0; i < k; ++i) {
    work_.curvature[i] = model.curvature(i);
    if (work_.beta[i] != 0.0 || !(work_.curvature[i] > 0.0) || std::abs(slope[i]) <= work_.terms[i].l1) continue;
    work_.beta[i] = work_.terms[i].minimiser(0.0, model.slope(i), work_.curvature[i]);
    if (work_.beta[i] == 0.0) continue;
    model.move(i, work_.beta[i]);
    places.push_back(i);
    moves.push_back(work_.beta[i]);
  }
  outdated_ = true;
  if (places.empty()) return;
  std::vector<index_t> all(k);
  std::iota(all.begin(), all.end(), index_t{0});
  std::vector<double> whole(k, 0.0), image(k);
  for (size_t i = 0; i < places.size(); ++i) whole[places[i]] = moves[i];
  model.product(all, whole.data(), image.data());
  for (index_t i = 0; i < k; ++i) slope[i] -= image[i];
}

// The move of some coefficients to the model's minimum, as far as Newton's step can be trusted.
std::vector<double> Solver::newton_step(ColumnQuadratic& model, const std::vector<index_t>& members,
                                        const std::vector<double>& slope) {
  const size_t count = members.size();
  std::vector<double> left(count), share(count), step;
  double off = 0.0;
  int products = 0;
  for (size_t i = 0; i < count; ++i) {
    const Term& term = work_.terms[members[i]];
    const double b = work_.beta[members[i]];
    left[i] = descent_slope(term, b, slope[members[i]]);
    share[i] = std::max(term.slope(b), 1e-300);
    off = std::max(off, std::abs(left[i]) / share[i]);
  }
  const double enough = std::max(fine(), kForcing * off);
  const bool alone = loss_->coupled();
  const auto precondition = [&](const std::vector<double>& from, std::vector<double>& z) {
    z = from;
    if (!alone) factor_.solve(z.data());
    for (size_t i = 0; i < count && alone; ++i) z[i] /= work_.curvature[members[i]] + work_.terms[members[i]].ridge;
  };
  const auto product = [&](const std::vector<double>& along, std::vector<double>& image) {
    model.product(members, along.data(), image.data());
    for (size_t i = 0; i < count; ++i) image[i] += work_.terms[members[i]].ridge * along[i];
    budget_.spend();
    if (++products > kFewProducts) ++spare_steps_;
  };
  const auto done = [&](const std::vector<double>& r, double now, double first) {
    if (alone && !(now > kSolved * first)) return true;
    for (size_t i = 0; i < count; ++i)
      if (std::abs(r[i]) > enough * share[i]) return budget_.stop;
    return true;
  };
  conjugate_gradients(step, left, alone ? kMostProducts : kProducts, precondition, product, done);
  return step;
}

}  // namespace bridle
