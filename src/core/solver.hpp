// One problem at one lambda after another: prox-Newton on a working set, with a certificate at the end of each.
#pragma once

#include <memory>
#include <vector>

#include "caution.hpp"
#include "descent.hpp"
#include "path.hpp"
#include "screen.hpp"
#include "shared_gram.hpp"
#include "working_set.hpp"

namespace bridle {

class Solver {
 public:
  Solver(const Problem& problem, const Settings& settings);
  // The smallest lambda at which only unpenalised features take part; 0 where starting there would not help: a Gram
  // matrix of everything, or no L1 part.
  double first_lambda() const;
  // Sweeps and solves count from 0 again: those at lambdas that are only passed belong to the one asked for.
  void new_budget() { budget_.used = 0; }
  // From the solution before, the problem at lam, to a gap of tol in units of the null model's: start it, and advance
  // until that is false. While it is true, columns are needed: whoever reads them, for one solver or for many, answers
  // the request and advances again. Once it is false, status() tells what became of lam.
  void start(double lam, double tol);
  bool advance();
  Status status() const { return status_; }

  enum class Need {
    outside,  // products of columns outside the working set with the residual
    inside,   // of those in it
    gram,     // with each other, under the model's weights
    step      // their sum, times coefficients, on the rows
  };
  struct Request {
    Need need = Need::outside;
    std::vector<index_t> columns;  // outside: ascending
    std::vector<double> coef;      // of a step, one for each column
    bool all = false;              // outside: reading all of them costs little more
    bool renew = false;            // gram: its weights are too old
    bool any() const { return all || !columns.empty(); }
  };
  const Request& request() const { return request_; }
  const double* residual() const { return residual_.data(); }  // (n,)
  double* step() { return direction_.data(); }                 // (n,) to which X coef is to be added
  const double* weights() const { return weights_.data(); }    // (n,) curvature of the loss
  void make_gram();                     // answers gram with the own weights,
  unsigned shared() const { return shared_; }  // version of the shared matrix that it has
  void take_gram(const SharedGram& of);  // or with a matrix that others use too
  void receive(const double* products);      // x_j'r of the columns asked for
  void receive_all(const double* products);  // (p,) X'r; welcome at any time between two calls of advance

  // Go on, on the rows, from a solution at lam: list (k,) of features, beta (k,), their Gram matrix, the intercept.
  void resume(double lam, const std::vector<index_t>& list, const std::vector<double>& beta, const Gram& gram, double b0);
  // Append what was found to result.
  void record(PathResult& result) const;

 private:
  // Where the model is made: on rows (eta and residual are kept), or in the space of a full Gram matrix, where
  // slopes are q - H beta and X is never read again.
  void enter_gram_space();
  void leave_gram_space();
  void predict();  // eta from the coefficients, without what steps have added up of rounding

  void begin(double lam, double tol);  // terms, working set and budget for lam
  bool look();                 // derivatives at the current point; whether slopes of the working set are asked for
  void centre_intercept();     // Newton on the intercept alone, until the residual sums to 0
  void ask_suspects();         // for slopes of features outside that may matter and look like violators,
  void ask_rest();             // and of the others that may matter
  bool violated(const std::vector<index_t>& features) const;
  void grow();                 // by violators and what is near them
  double refit_reach() const;  // what the refit of unpenalised features may move other slopes by
  double gap(bool all) const;  // of the working set, or of all features
  bool ask_gram();             // whether the model needs one that isn't there
  bool rough_will_do() const;  // or a share of the rows, for the model
  bool any_free() const;       // whether a feature has no penalty
  void renewed();              // the model has new weights
  bool step_to_aim();
  bool can_polish() const;     // whether a step without a matrix is possible
  void enter(ColumnQuadratic& model, std::vector<double>& slope);
  bool polish();               // Newton's step under this point's weights, for the coefficients that nothing holds
  bool aim();                  // minimises the model; false if nothing moves
  void foresee();              // mends a lambda's first aim by what the last one missed by
  void remember_miss();
  std::vector<double> newton_step(ColumnQuadratic& model, const std::vector<index_t>& members,
                                  const std::vector<double>& slope);
  double fine() const;
  void ask_step(double constant);
  bool line_search();  // false if the step could not lower the objective
  void admit(const std::vector<index_t>& violators);
  double penalty_value(const std::vector<double>& beta) const;
  void evaluate();             // loss, residual and weights at eta
  void raise();                // weights where the loss is flat
  bool shift_slopes(double move, double total, double curvature, double enough);
  double scaling_cost(double s) const;
  index_t growth() const;
  bool use_gram() const;       // whether the model of this working set is made as a Gram matrix
  bool by_products() const;    // or not at all: rows act on each other, and Newton's step takes products

  const Problem& in_;
  const Settings& set_;
  const Loss* loss_;
  Columns x_;
  const index_t n_;
  WorkingSet work_;
  Screen screen_;
  std::vector<index_t> doubtful_;  // features outside that may matter to the certificate: all others can't
  Gram gram_;
  PackedRows rows_;  // of the working set, where its model is made without a Gram matrix
  ActiveFactor factor_;
  Budget budget_;

  std::vector<double> eta_, residual_, weights_;  // (n,) linear predictor; -w loss'; w loss''
  std::vector<double> direction_, trial_;         // (n,) of the line search: kept, since fresh pages cost a pass
  std::vector<double> before_;                    // (k,) coefficients that the step starts from
  double constant_ = 0.0;                         // what the step moves the intercept by
  std::vector<double> gram_start_;                // (k,) q: slopes at beta = 0, in Gram space
  double gram_loss_ = 0.0;                        // loss at beta = 0, in Gram space
  bool gram_space_ = false;
  double b0_ = 0.0;           // intercept on the original scale
  double lam_ = 0.0, previous_ = std::numeric_limits<double>::infinity();
  double loss_now_ = 0.0;     // loss at eta_
  bool evaluated_ = false;    // residual and weights are eta_'s, but for what raises them
  double off_ = 0.0;            // what is left of the residual's sum, over the root of the weights': the intercept's miss
  mutable struct {
    double scale = -1.0, value = 0.0;
  } cost_;  // the last scaling of the dual point at eta_, and its cost
  double gap_ = 0.0, coarseness_ = 0.0;  // of the model's solution, as a relative gap
  double target_ = 0.0, last_ = 0.0;  // gap that is asked for; the smallest since the working set grew
  int idle_ = 0;                      // steps that gained little
  enum class Stage { inside, looking, suspects, verified, modelling, stepping } stage_ = Stage::inside;  // what was asked for last
  Request request_;
  bool known_ = false;  // all slopes are, at this residual
  Status status_ = Status::converged;
  bool moved_ = true;         // slopes are of an older point
  bool refresh_ = true;       // the model's weights are too old
  unsigned shared_ = 0;       // version of the shared matrix that the model has; 0: its own
  index_t spare_steps_ = 0;   // steps since the model's weights are those, beyond the first of each lambda
  bool slow_ = false;         // descent by columns needs too many sweeps at this lambda
  bool outdated_ = false;     // the working set has gone on without its Gram matrix
  bool full_ = false;         // a step was too long: models of this lambda are made from all rows
  bool first_ = true;
  bool opening_ = true;       // no step was made yet at this lambda
  bool polish_ = false;       // the next step is one without a matrix
  bool rough_ = false;        // the last model was solved to a few digits only
  Caution caution_;           // where the loss is flat
  double gained_ = 0.0;       // what the last step has lowered the objective by
  bool careful_ = false;      // X'X has lost digits: steps by its model have to prove themselves on the rows
};

}  // namespace bridle
