#include "descent.hpp"

#include <algorithm>
#include <limits>

#include "conjugate.hpp"

namespace bridle {
namespace {

constexpr index_t kFew = 2;       // coefficients, and one in 50 that are active, that a sweep may change before a direct solve
constexpr int kSweeps = 10;       // at the most that wait for it
constexpr index_t kRounds = 60;   // of conjugate gradients in one step
constexpr double kNear = 0.3;     // share of the slopes' precision that they solve to,
constexpr double kFurther = 1e-6;  // or of the squared slopes that there were
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a step along a direction has come to: its length, and whether something blocked it there.
struct Step {
  double length;
  bool blocked;
};

// Move along a direction as far as `most`, or to the first limit; `moved` (k,) sums the moves.
Step step_along(const std::vector<Term>& terms, std::vector<double>& beta, const std::vector<index_t>& members,
                const std::vector<double>& direction, double most, std::vector<double>& moved) {
  double t = most;
  index_t blocking = -1;
  for (size_t i = 0; i < members.size(); ++i) {
    const index_t k = members[i];
    if (direction[i] == 0.0) continue;
    const double room = (limit_of(terms[k], beta[k], direction[i]) - beta[k]) / direction[i];
    if (room < t) {
      t = room;
      blocking = k;
    }
  }
  if (std::isinf(t)) return {0.0, false};  // a direction without end: the objective is flat along it
  for (size_t i = 0; i < members.size(); ++i) {
    const index_t k = members[i];
    if (direction[i] == 0.0) continue;
    const double to = k == blocking ? limit_of(terms[k], beta[k], direction[i]) : beta[k] + t * direction[i];
    moved[k] += to - beta[k];
    beta[k] = to;
  }
  return {t, blocking >= 0};
}

// A parked column j depends on the active ones, x_j = X_A d: along (+1, -d) the loss is constant and the penalty
// linear, so going down until a coefficient reaches 0 loses nothing and leaves independent columns.
bool resolve_dependence(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                        const ActiveFactor& factor) {
  for (index_t j : factor.parked()) {
    if (terms[j].l1 == 0.0) continue;
    const double slope = descent_slope(terms[j], beta[j], q.slope(j));
    if (std::abs(slope) <= 1e-9 * terms[j].l1) continue;
    std::vector<index_t> members = factor.members();
    std::vector<double> direction(members.size() + 1);
    for (size_t i = 0; i < members.size(); ++i) direction[i] = q.gram().at(members[i], j);
    factor.solve(direction.data());
    const double sign = slope > 0.0 ? 1.0 : -1.0;
    for (double& d : direction) d *= -sign;
    members.push_back(j);
    direction.back() = sign;
    std::vector<double> moved(q.size(), 0.0);
    const bool blocked = step_along(terms, beta, members, direction, kInfinity, moved).blocked;
    q.move_all(moved);
    if (blocked) return true;
  }
  return false;
}

}  // namespace

std::vector<index_t> active_set_step(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                                     ActiveFactor& factor, Budget& budget) {
  std::vector<index_t> wanted;
  std::vector<double> direction, moved(q.size(), 0.0);
  std::vector<double> left(q.size(), 0.0);  // slopes that are left to members of the factor
  bool known = false;                       // whether these are right, and moves not yet in q
  const auto settle = [&] {
    if (known) q.move_all(moved);
    std::fill(moved.begin(), moved.end(), 0.0);
    known = false;
  };
  do {
    wanted.clear();
    for (index_t k = 0; k < q.size(); ++k)
      if (q.curvature(k) > 0.0 && is_free(terms[k], beta[k])) wanted.push_back(k);
    factor.sync(q.gram(), terms, wanted);
    const std::vector<index_t>& members = factor.members();
    direction.resize(members.size());
    if (!factor.parked().empty()) settle();  // one of these may join, so that its slope is asked for
    if (!known)
      for (index_t k : members) left[k] = descent_slope(terms[k], beta[k], q.slope(k));
    for (size_t i = 0; i < members.size(); ++i) direction[i] = left[members[i]];
    factor.solve(direction.data());
    // The step solves the members' equations: what it leaves of their slopes is in proportion to what it lacks.
    const Step step = step_along(terms, beta, members, direction, 1.0, moved);
    known = true;
    for (index_t k : members) left[k] *= 1.0 - step.length;
    if (step.blocked) continue;
    settle();
    if (!resolve_dependence(q, terms, beta, factor)) return wanted;
  } while (budget.spend());
  settle();
  return {};
}

namespace {

// Coefficients that have come, gone or turned.
index_t count_changes(const std::vector<double>& before, const std::vector<double>& after) {
  index_t changes = 0;
  for (size_t k = 0; k < after.size(); ++k)
    changes += (before[k] == 0.0) != (after[k] == 0.0) || before[k] * after[k] < 0.0;
  return changes;
}

}  // namespace

void minimise(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta, const Precision& precision,
              ActiveFactor& factor, Budget& budget) {
  std::vector<index_t> solved;  // the active set of the last direct solve
  int since = 0;                // sweeps since then
  // Warm start: after a step along the path the active set is nearly right, and one solve is all that its members need.
  if (!factor.stale(q.gram(), terms)) solved = active_set_step(q, terms, beta, factor, budget);
  while (true) {
    const std::vector<double> before = beta;
    const bool gained = sweep(q, terms, beta, precision, false);
    if (!budget.spend() || !gained) return;
    // Each coefficient that a direct solve has to drop costs several sweeps: these go first while they change many.
    const index_t changes = count_changes(before, beta);
    // A factorisation costs about |A| / 6 sweeps: worth it at once if most of it is there, later if not.
    const index_t active = std::count_if(beta.begin(), beta.end(), [](double b) { return b != 0.0; });
    const int patience = factor.stale(q.gram(), terms) ? static_cast<int>(1 + active / 50) : 1;
    if (++since < patience || (changes > kFew + active / 50 && since < kSweeps)) continue;
    std::vector<index_t> now = active_set_step(q, terms, beta, factor, budget);
    since = 0;
    if (now == solved || budget.stop || budget.used >= budget.limit) return;
    solved.swap(now);
  }
}

namespace {

// Moves of free coefficients to the optimum with signs and bounds held, by conjugate gradients on the columns, scaled by
// their curvature; slope (free,) at the start.
std::vector<double> solve_on_columns(ColumnQuadratic& q, const std::vector<Term>& terms, const std::vector<double>& beta,
                                     const std::vector<index_t>& free, std::vector<double> slope,
                                     const Precision& precision, Budget& budget) {
  const size_t count = free.size();
  std::vector<double> goal;
  bool stop = false;
  const auto scale = [&](const std::vector<double>& from, std::vector<double>& z) {
    for (size_t i = 0; i < count; ++i) z[i] = from[i] / (q.curvature(free[i]) + terms[free[i]].ridge);
  };
  const auto product = [&](const std::vector<double>& along, std::vector<double>& image) {
    q.product(free, along.data(), image.data());
    for (size_t i = 0; i < count; ++i) image[i] += terms[free[i]].ridge * along[i];
    stop = !budget.spend();
  };
  const auto done = [&](const std::vector<double>& left, double size, double first) {
    if (stop || !(size > kFurther * first)) return true;
    for (size_t i = 0; i < count; ++i)
      if (std::abs(left[i]) > kNear * precision.share * terms[free[i]].slope(beta[free[i]])) return false;
    return true;
  };
  conjugate_gradients(goal, slope, kRounds, scale, product, done);
  return goal;
}

// A step of all free coefficients. Those that would cross a limit stop there; if that loses more than it gains, all stop
// at the first of them.
void conjugate_step(ColumnQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                    const Precision& precision, Budget& budget) {
  std::vector<index_t> free;
  for (index_t k = 0; k < q.size(); ++k)
    if (q.curvature(k) > 0.0 && is_free(terms[k], beta[k])) free.push_back(k);
  const size_t count = free.size();
  std::vector<double> slope(count), move(count), image(count);
  q.slopes(free, slope.data());
  for (size_t i = 0; i < count; ++i) slope[i] = descent_slope(terms[free[i]], beta[free[i]], slope[i]);
  const std::vector<double> goal = solve_on_columns(q, terms, beta, free, slope, precision, budget);
  double shortest = 1.0;
  for (size_t i = 0; i < count; ++i) {
    const double b = beta[free[i]], room = limit_of(terms[free[i]], b, goal[i]) - b;
    const bool crosses = std::abs(goal[i]) > std::abs(room);
    if (crosses) shortest = std::min(shortest, room / goal[i]);
    move[i] = crosses ? room : goal[i];
  }
  if (shortest < 1.0) {
    q.product(free, move.data(), image.data());
    double change = 0.0;
    for (size_t i = 0; i < count; ++i)
      change += move[i] * (0.5 * (image[i] + terms[free[i]].ridge * move[i]) - slope[i]);
    if (!(change < 0.0))
      for (size_t i = 0; i < count; ++i) move[i] = shortest * goal[i];
  }
  for (size_t i = 0; i < count; ++i) {
    double& b = beta[free[i]];
    b = move_to_limit(terms[free[i]], b, move[i]);
  }
  q.move_all(free, move.data());
}

}  // namespace

void minimise(ColumnQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
              const Precision& precision, index_t most, Budget& budget) {
  const index_t last = budget.used + most;
  while (true) {
    const bool gained = sweep(q, terms, beta, precision, false);
    if (!budget.spend() || !gained || budget.used >= last) return;
    if (!sweep(q, terms, beta, precision, true)) continue;
    if (!budget.spend() || budget.used >= last) return;
    conjugate_step(q, terms, beta, precision, budget);
    if (budget.stop || budget.used >= last) return;
  }
}

}  // namespace bridle
