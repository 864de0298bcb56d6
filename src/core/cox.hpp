// Cox's partial likelihood: right-censored or start-stop rows, strata, ties by Efron or Breslow.
#pragma once

#include <memory>
#include <vector>

#include "losses.hpp"

namespace bridle {

enum class Ties : int { breslow = 0, efron = 1 };

// At the k-th distinct time of events in its stratum, with m events of weight sum d,
//
//     d/m sum_{l<m} log(O + (1 - l/m) T) - sum_{events} w_i eta_i,
//
// T the sum of w e^eta of these events, O of the others at risk (start < time_k <= time); Breslow has one level, O + T,
// for all m. Sums are of positive terms only: rows that enter late are added along a tree of times instead of being
// subtracted again, and where eta spans too much for one scale each node has its own. Rows of weight 0 count nowhere.
//
// The weights w of the calls are those of the rows; y is ignored, the rows are held here.
class Cox final : public Loss {
 public:
  // rows (n, 4), C order: start, time, event (0 or 1), stratum (any numbers that tell strata apart)
  Cox(const double* rows, index_t n, Ties ties);

  index_t rows() const { return n_; }
  double value(const double* y, const double* w, const double* eta, index_t n) const override;
  // The curvature is w e^eta times the hazard: what is left of H without its negative part.
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override;
  double saturated(const double* y, const double* w, index_t n) const override;
  // An upper bound of the Fenchel-Young gap, from p'_k = s p_k outside the events and a common share for all levels
  // among them (docs/survival.md).
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override;
  bool may_separate() const override { return true; }
  bool shift_invariant() const override { return true; }
  bool coupled() const override { return true; }
  std::unique_ptr<Curvature> second(const double* w, const double* eta, index_t n) const override;
  // The baseline hazard's jump at each time (K,), by stratum and time, as hazard * e^-scale: d/m sum_l 1 / level_l.
  void increments(const double* w, const double* eta, std::vector<double>& hazard, std::vector<double>& scale) const;

 private:
  struct Sums;
  class Second;
  void sum_up(const double* w, const double* eta, Sums& out) const;
  void scale_up(const double* w, const double* eta, Sums& out) const;
  void hazards(Sums& sums) const;
  // Sums over the others at each time (K,): of x w e^eta at time k in units of e^scale[k], x (n,) or null for 1.
  void gather(const double* w, const double* eta, const double* x, const Sums& sums, std::vector<double>& at) const;
  // The way back: to each row (n,) the sum of w e^eta rate[k] over the times at which it is among the others, rate (K,)
  // in units of e^-scale[k]; use(i, sum).
  template <class Use>
  void spread(const double* w, const double* eta, const Sums& sums, const std::vector<double>& rate, Use&& use) const;
  double log_mass(const double* w, const double* eta, index_t k) const;
  // Nodes of the tree that make up the times first_[i]..last_[i]
  template <class Use>
  void nodes(index_t i, Use&& use) const;

  const index_t n_;
  const Ties ties_;
  index_t times_ = 0;                          // K distinct times of events, by stratum, ascending
  std::vector<index_t> first_, last_, own_;    // (n,) times at which a row is among the others; its event's, or -1
  std::vector<index_t> row_stratum_, time_stratum_;  // (n,), (K,)
  std::vector<index_t> open_, open_start_;     // rows at risk from their stratum's first time on, by last_; (K + 1,)
  std::vector<index_t> late_;                  // rows that enter later
  std::vector<index_t> events_, event_start_;  // rows with events by time; (K + 1,)
  index_t strata_ = 0;
};

}  // namespace bridle
