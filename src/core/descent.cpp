#include "descent.hpp"

#include <algorithm>
#include <limits>

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Where a coefficient must stop when it moves by delta: its bound, or 0 if the penalty has a kink there.
double limit_of(const Term& term, double b, double delta) {
  if (delta > 0.0) return term.l1 > 0.0 && b < 0.0 ? 0.0 : term.upper;
  return term.l1 > 0.0 && b > 0.0 ? 0.0 : term.lower;
}

// Whether the objective is smooth at b, on both sides.
bool is_free(const Term& term, double b) {
  return (b != 0.0 || term.l1 == 0.0) && b > term.lower && b < term.upper;
}

// Minus the objective's slope at b, in the piece that b lies in.
double descent_slope(const Term& term, double b, double slope) {
  return slope - term.ridge * b - (b > 0.0 ? term.l1 : (b < 0.0 ? -term.l1 : 0.0));
}

// Move along a direction as far as `most`, or to the first limit. Returns whether something blocked.
bool step_along(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                const std::vector<index_t>& members, const std::vector<double>& direction, double most) {
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
  if (std::isinf(t)) return false;  // a direction without end: the objective is flat along it
  for (size_t i = 0; i < members.size(); ++i) {
    const index_t k = members[i];
    if (direction[i] == 0.0) continue;
    const double to = k == blocking ? limit_of(terms[k], beta[k], direction[i]) : beta[k] + t * direction[i];
    q.move(k, to - beta[k]);
    beta[k] = to;
  }
  return blocking >= 0;
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
    if (step_along(q, terms, beta, members, direction, kInfinity)) return true;
  }
  return false;
}

}  // namespace

std::vector<index_t> active_set_step(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                                     ActiveFactor& factor, Budget& budget) {
  std::vector<index_t> wanted;
  std::vector<double> direction;
  do {
    wanted.clear();
    for (index_t k = 0; k < q.size(); ++k)
      if (q.curvature(k) > 0.0 && is_free(terms[k], beta[k])) wanted.push_back(k);
    factor.sync(q.gram(), terms, wanted);
    const std::vector<index_t>& members = factor.members();
    direction.resize(members.size());
    for (size_t i = 0; i < members.size(); ++i)
      direction[i] = descent_slope(terms[members[i]], beta[members[i]], q.slope(members[i]));
    factor.solve(direction.data());
    if (step_along(q, terms, beta, members, direction, 1.0)) continue;
    if (!resolve_dependence(q, terms, beta, factor)) return wanted;
  } while (budget.spend());
  return {};
}

void minimise(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta, const Precision& precision,
              ActiveFactor& factor, Budget& budget) {
  std::vector<index_t> solved;  // the active set of the last direct solve
  int since = 0;                // sweeps since then
  while (true) {
    const bool gained = sweep(q, terms, beta, precision, false);
    if (!budget.spend() || !gained) return;
    // A factorisation costs about |A| / 6 sweeps: worth it at once if most of it is there, later if not.
    const index_t active = std::count_if(beta.begin(), beta.end(), [](double b) { return b != 0.0; });
    const int patience = factor.stale(q.gram(), terms) ? static_cast<int>(1 + active / 50) : 1;
    if (++since < patience) continue;
    std::vector<index_t> now = active_set_step(q, terms, beta, factor, budget);
    since = 0;
    if (now == solved || budget.stop || budget.used >= budget.limit) return;
    solved.swap(now);
  }
}

void minimise(ColumnQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
              const Precision& precision, index_t most, Budget& budget) {
  const index_t last = budget.used + most;
  while (true) {
    const bool gained = sweep(q, terms, beta, precision, false);
    if (!budget.spend() || !gained || budget.used >= last) return;
    while (sweep(q, terms, beta, precision, true))
      if (!budget.spend() || budget.used >= last) return;
  }
}

}  // namespace bridle
