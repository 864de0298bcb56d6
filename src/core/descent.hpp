// Minimising the quadratic model plus penalty over the working set: coordinate descent, and direct solves of the
// active set in between.
//
// Coordinate descent finds signs quickly and digits slowly; with the signs and bounds held, the optimum is one linear
// system away. A step of the second kind goes to that point, or to the first sign change or bound on the way, drops
// what blocked it and solves again, like a step of an active-set or homotopy method (Osborne, Presnell and Turlach
// 2000). Both kinds only lower the objective, so that together they end at the optimum.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "factor.hpp"
#include "penalty.hpp"
#include "quadratic.hpp"
#include "status.hpp"

namespace bridle {

constexpr double kSafety = 0.9;  // share of the tolerance that is used, so that a referee's rounding passes
constexpr int kStall = 12;       // steps without progress after which rounding is to blame

// Counts sweeps and direct solves of one lambda, and asks the caller at intervals whether to stop.
struct Budget {
  index_t used = 0, limit = 0;
  bool (*interrupted)(void*) = nullptr;
  void* context = nullptr;
  bool stop = false;

  bool spend() {
    ++used;
    stop = stop || (interrupted && interrupted(context));
    return !stop && used < limit;
  }
};

// What is left to be gained where rounding hides it: a slope is known to about `noise` * sqrt(H_kk), and a coefficient
// at 0 stays there unless its slope exceeds the threshold by more, or exact ties would enter and leave for ever.
struct Precision {
  double enough = 0.0;  // stop when a sweep gains less,
  double share = 0.0;   // and when no slope that is off the penalty's by more than this share of it was mended
  double noise = 0.0;
};

constexpr double kNothing = 1e-2;  // share of a slope that is right enough which is not worth a move

// One pass of coordinate descent; whether it gained what counts. H_kk move_k^2 bounds what a coordinate had to gain;
// H_kk move_k is by how much its slope was off: at small lambdas the gap suffers from that long before the objective.
template <class Quadratic>
bool sweep(Quadratic& q, const std::vector<Term>& terms, std::vector<double>& beta, const Precision& precision,
             bool active_only) {
  bool gained = false;
  for (index_t k = 0; k < q.size(); ++k) {
    const double h = q.curvature(k);
    if (!(h + terms[k].ridge > 0.0) || (active_only && beta[k] == 0.0)) continue;
    const double slope = q.slope(k);
    if (beta[k] == 0.0 && std::abs(slope) <= (1.0 + 1e-12) * terms[k].l1 + precision.noise * std::sqrt(h)) continue;
    const double b = terms[k].minimiser(beta[k], slope, h), move = b - beta[k];
    if (move == 0.0) continue;
    const double off = (h + terms[k].ridge) * std::abs(move), right = precision.share * terms[k].slope(b);
    if (off <= kNothing * right && off * std::abs(move) <= kNothing * precision.enough) continue;
    beta[k] = b;
    q.move(k, move);
    gained = gained || off * std::abs(move) > precision.enough || off > right;
  }
  return gained;
}

// Where a coefficient must stop when it moves by delta: its bound, or 0 if the penalty has a kink there.
inline double limit_of(const Term& term, double b, double delta) {
  if (delta > 0.0) return term.l1 > 0.0 && b < 0.0 ? 0.0 : term.upper;
  return term.l1 > 0.0 && b > 0.0 ? 0.0 : term.lower;
}

// Where it gets: there at the furthest.
inline double move_to_limit(const Term& term, double b, double delta) {
  const double limit = limit_of(term, b, delta);
  return delta > 0.0 ? std::min(limit, b + delta) : std::max(limit, b + delta);
}

// Whether the objective is smooth at b, on both sides.
inline bool is_free(const Term& term, double b) {
  return (b != 0.0 || term.l1 == 0.0) && b > term.lower && b < term.upper;
}

// Minus the objective's slope at b, in the piece that b lies in.
inline double descent_slope(const Term& term, double b, double slope) {
  return slope - term.ridge * b - (b > 0.0 ? term.l1 : (b < 0.0 ? -term.l1 : 0.0));
}

// Solve for the active coefficients with signs and bounds held, step by step until nothing blocks. Returns the active
// set (positions, ascending) that was solved for at the end; empty if the budget ran out before.
std::vector<index_t> active_set_step(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
                                     ActiveFactor& factor, Budget& budget);

// Descend until a sweep over the working set gains less than enough, or until a direct solve finds the active set of
// the one before: then nothing but rounding is left.
void minimise(GramQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta, const Precision& precision,
              ActiveFactor& factor, Budget& budget);
// The same with conjugate gradients on the columns in the direct solves' place. Gives up after `most` sweeps and rounds.
void minimise(ColumnQuadratic& q, const std::vector<Term>& terms, std::vector<double>& beta,
              const Precision& precision, index_t most, Budget& budget);

}  // namespace bridle
