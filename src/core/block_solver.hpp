// One problem with blocks at one lambda after another: prox-Newton on a working set of groups, and a certificate at the
// end of each. docs/solver.md has the method; solver.hpp is the same for single features and one predictor, at speed.
#pragma once

#include <vector>

#include "block_cells.hpp"
#include "block_groups.hpp"
#include "block_implicit.hpp"
#include "block_model.hpp"
#include "caution.hpp"
#include "panels.hpp"

namespace bridle {

class BlockSolver {
 public:
  BlockSolver(const BlockProblem& problem, const Settings& settings);
  Status solve(double lam, double tol);  // to a relative gap of tol, from the solution before
  double null_slope() const { return null_slope_; }  // largest slope of penalised coefficients in the null model
  // Go on, on the rows, from a solution at lam: beta of each group's features, group after group, and the intercept.
  void resume(double lam, const std::vector<double>& beta, double b0);
  void record(PathResult& result) const;

 private:
  void begin(double lam);
  void look();                   // derivatives and slopes of the working set at the current point
  void evaluate();               // loss, residual and weights at eta
  void raise();                  // weights where the loss is flat
  void centre_intercept();       // Newton on the intercepts alone, until the residuals sum to 0
  void intercept_curvature(std::vector<double>& matrix);
  void look_outside();           // slopes of all columns
  double certificate(bool all);  // duality gap, or worst violation where the penalty is concave
  double gap(bool all);
  double worst_violation(bool all) const;
  bool grow(double lam);         // by groups outside that aren't optimal at 0 at this lambda
  void add(index_t group);
  void shrink(double reach);
  void lay_out();                // coefficients and slopes of the working set; blocks
  void choose_cells(double reach);
  bool wants_cells();
  bool improve_exactly();        // the same in the exact model of cells_
  bool wants_products() const;
  bool improve_smoothly();       // Newton's step by products with the columns, where the objective is smooth
  void factor_smoothly(const std::vector<double>& ridge);
  void bend(double* u) const;
  bool wants_rows() const;
  bool wants_no_matrix() const;
  void split();                  // diagonal_ and root_ at eta
  void majorise();
  void extrapolate(double lam);  // along the path, from the last two solutions
  void collect_free(FreeCells& cells, std::vector<index_t>& places) const;
  bool polish();
  bool improve();                // one prox-Newton step; false if it could not lower the objective
  void spread(const std::vector<index_t>& places, const std::vector<double>& before, const std::vector<double>& goal,
              const std::vector<double>& constant);
  bool line_search(const std::vector<double>& before, const std::vector<double>& constant);
  void doubt_flat(double t, double predicted);
  const double* curvatures();    // (n, .) as the model takes them
  double penalty_value() const;
  double refit_reach() const;
  double excess_outside(index_t group, double lam) const;

  BlockTerm term(index_t group, double lam) const { return groups_.term(group, lam); }
  index_t members(index_t group) const { return groups_.size(group); }
  index_t working() const { return static_cast<index_t>(list_.size()); }  // m
  std::vector<index_t> sizes() const;  // of the groups of the working set
  bool modelled() const { return !model_.empty() && model_.features() == working(); }
  index_t active_features() const;
  void outside_block(index_t group, index_t first, index_t last, double* to) const;
  void gather(const Block& block, const std::vector<double>& from, double* to) const;

  const BlockProblem& in_;
  Settings set_;
  Columns x_;
  Panels panels_;
  const index_t n_, p_, predictors_;
  bool concave_;
  BlockGroups groups_;

  std::vector<index_t> list_;   // (m,) features of the working set, those of a group side by side
  std::vector<index_t> here_;   // groups of the working set
  std::vector<char> inside_;    // (G,)
  std::vector<Block> blocks_;   // of the working set
  std::vector<double> beta_, slope_;  // (m, K) on the penalised scale
  std::vector<double> outside_;       // (p, K) slopes when all columns were last read
  bool outside_known_ = false;        // whether that was at this point

  BlockModel model_;
  const bool meet_;       // predictors do, in the curvature
  bool on_rows_ = false;  // and the matrix of all coefficients isn't made: model_ is a majoriser
  double model_total_ = 0.0;  // sum of its weights
  int rounds_ = 0;            // on them, at this lambda
  bool slow_ = false;         // they have been too many at one
  bool full_ = false;         // whether exact models are made from all rows, wherever the solution is
  BlockDescent descent_, exact_descent_;
  Cells cells_;
  CellModel exact_;
  std::vector<std::vector<double>> smooth_factors_;  // (m, m) of each predictor, or of all alike, upper; else the diagonal preconditions
  bool hard_ = false;                                // whether the last smooth step took many products
  Budget budget_;

  std::vector<double> b0_, eta_, residual_, weights_, curvatures_, diagonal_, root_, direction_, trial_;
  mutable std::vector<double> held_, held_slope_, held_curvature_;  // of one block
  double lam_ = 0.0, previous_ = 0.0, gap_ = 0.0, target_ = 0.0, last_ = 0.0, coarseness_ = 0.0, null_slope_ = 0.0;
  std::vector<double> past_, past_b0_;  // the solution before last: (p, K) coefficients, and (K,) intercepts
  double past_lam_ = 0.0;               // its lambda; 0: none
  double gained_ = 0.0;  // what the last step has lowered the objective by
  Caution caution_;      // where the loss is flat
  static constexpr double kFlat = 1e-4;
  double flat_ = kFlat;  // share of curvature where softmax has none
  int idle_ = 0, spare_steps_ = 0;
  double loss_now_ = 0.0;   // loss at eta_
  bool evaluated_ = false;  // residual and weights are eta_'s, but for what raises them
  bool first_ = true, moved_ = true, refresh_ = false, tangent_ = false;
  Status status_ = Status::converged;
};

}  // namespace bridle
