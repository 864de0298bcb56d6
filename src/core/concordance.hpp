// Harrell's concordance: pairs of an event and a row that is still at risk, by a tree of ranks.
#pragma once

#include "simd.hpp"

namespace bridle {

struct Concordance {
  double below = 0.0, tied = 0.0, all = 0.0;  // weights of pairs whose survivor has a lower, an equal, any rank
};

// rows (n, 4): start, time, event, stratum; rank (n,) of the risk, 0..ranks-1; w (n,). Compared are rows of one
// stratum: an event at t with rows at risk then (start < t <= time) that don't have theirs at t.
Concordance concordance(const double* rows, const index_t* rank, const double* w, index_t n, index_t ranks);

}  // namespace bridle
