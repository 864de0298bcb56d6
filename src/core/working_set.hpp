// The features that take part in the current problem, and the slopes of those that don't.
#pragma once

#include <cstddef>
#include <vector>

#include "path.hpp"
#include "penalty.hpp"

namespace bridle {

class WorkingSet {
 public:
  explicit WorkingSet(const Problem& problem);

  index_t size() const { return static_cast<index_t>(list.size()); }
  Term term(index_t j) const;          // of feature j at the current lambda
  void set_lambda(double lam);         // terms of the members follow
  void add(index_t j);                 // with coefficient 0
  void keep(const std::vector<index_t>& places);
  bool contains(index_t j) const { return place_[j]; }
  bool always(index_t j) const { return term(j).l1 == 0.0; }  // nothing holds its coefficient at 0
  index_t active() const;                                      // number of nonzero coefficients

  // Features outside whose optimality condition at 0 fails, the worst first, at most `most` of them.
  std::vector<index_t> violators(index_t most) const;
  // Other features outside that are next to join as lambda falls: at most `most`, slopes above `share` of the threshold.
  std::vector<index_t> candidates(index_t most, double share) const;

  std::vector<index_t> list;      // (k,) feature numbers, in order of entry
  std::vector<Term> terms;        // (k,)
  std::vector<double> beta;       // (k,) on the penalised scale
  std::vector<double> slope;      // (k,) minus the loss's gradient
  std::vector<double> aim, miss;  // (k,) beta that the first model of this lambda aimed at; by how much the last one missed
  std::vector<double> curvature;  // (k,) H_kk of the last model; 0: not yet known
  std::vector<double> outside;    // (p,) slopes at the last check, or estimates of those that can't matter there
  std::vector<index_t> included;  // features that aren't excluded

 private:
  const Problem& in_;
  double lam_ = 0.0;
  std::vector<char> place_;  // (p,) whether a member
};

}  // namespace bridle
