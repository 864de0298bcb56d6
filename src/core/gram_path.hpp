// A gaussian path in the space of the covariance matrix: rows are never read.
//
// From one lambda to the next the solution is followed from one change of the active set to the next (Osborne, Presnell
// and Turlach 2000; Efron et al. 2004, LARS). A ridge part, or what rounding has left of slopes, is only a different
// right-hand side: the threshold of features at 0 falls linearly on the way, whatever the active ones have to make up
// for. Descent (descent.hpp) takes over where that gets stuck: bounds, ties, dependent columns.
#pragma once

#include <utility>
#include <vector>

#include "descent.hpp"
#include "path.hpp"

namespace bridle {

class GramPath {
 public:
  explicit GramPath(const Problem& problem, const Settings& settings);  // problem.summary is given
  // From the solution before, the problem at lam. `rounding`: optimal for the covariance matrix, but its rounding
  // may hide a gap on the rows above the tolerance, so that the rows have to be asked.
  Status solve(double lam);
  void record(Status status, PathResult& result) const;

  const std::vector<index_t>& features() const { return list_; }  // (k,) that aren't excluded
  const std::vector<double>& beta() const { return beta_; }       // (k,) on the penalised scale
  const Gram& gram() const { return gram_; }                      // of these features
  double intercept() const;

 private:
  struct Event {
    double at;       // share of the direction, at most 1
    index_t place;   // of the member that leaves; -1: none
    index_t enters;  // feature's position; -1: none
    double sign;
  };

  void begin(double lam);
  void start();  // unpenalised features first, then the lambda from which others may enter
  bool prepare();  // the factor of the active set; false if that set has dependent columns
  bool follow();   // to the thresholds of this lambda; false if stuck
  void aim(double share);  // direction and rates
  void refine(std::vector<double>& residual);
  void reuse(std::vector<double>& residual);
  void apply(const std::vector<double>& v, const std::vector<double>& image, std::vector<double>& product) const;
  void remember();
  void set_rates(const std::vector<double>& residual);
  Event next_event(double share, index_t skip) const;
  void move(double t);
  void look();  // slopes from the coefficients
  bool may_enter(index_t k, double sign) const { return sign > 0.0 ? terms_[k].upper > 0.0 : terms_[k].lower < 0.0; }
  double gap(bool on_rows) const;  // of the covariance matrix, or widened by what its rounding may hide
  double loss() const;
  double objective() const;
  bool loss_is_sure() const;       // whether the loss, a difference, has kept its digits
  double length_of_terms() const;  // of all that adds up to a residual, which rounding goes by

  const Problem& in_;
  const Settings& set_;
  Gram gram_;
  ActiveFactor factor_;
  Budget budget_;
  std::vector<index_t> list_;                  // (k,) features
  std::vector<double> beta_, slope_, first_;   // (k,) coefficients; slopes now and at beta = 0
  std::vector<double> size_, length_;          // (k,) of columns, as rounding sees them and centred
  std::vector<double> sign_;                   // (k,) of active coefficients
  std::vector<char> member_, barred_;          // (k,) in the factor; dependent on what is in there
  std::vector<Term> terms_, held_;             // (k,) of this lambda; those whose ridge is in the factor
  std::vector<double> direction_, rate_;       // (|A|,) of the coefficients; (k,) of the slopes
  std::vector<double> lower_, scratch_, spread_;  // (|A|,) a lasso's direction halfway through the factor; (k,), (k,)
  std::vector<std::pair<std::vector<double>, std::vector<double>>> past_;  // (k,) directions and rates, the last ones
  std::vector<index_t> active_;                // of the last look
  double first_loss_ = 0.0, lam_ = 0.0, previous_ = 0.0, held_lam_ = 0.0, gap_ = 0.0, unit_ = 0.0;
  bool plain_ = true;     // no bounds but 0
  bool ridge_ = false;
  bool aligned_ = false;  // the factor is that of the active set
  bool exact_ = true;     // and its ridge that of this lambda
  bool started_ = false;
};

}  // namespace bridle
