// Newton's step for predictors that meet in the curvature, on the rows: conjugate gradients with products X'W(X v), so that
// the matrix of all coefficients is never made.
#pragma once

#include <vector>

#include "block_descent.hpp"
#include "columns.hpp"

namespace bridle {

// The cells (f, K) of some features that are free to move, those that aren't 0; the penalty is smooth there.
struct FreeCells {
  std::vector<index_t> features;           // (f,)
  std::vector<char> free;                  // (f, K) by columns
  std::vector<double> gradient;            // (f, K) minus the objective's, 0 where a cell isn't free
  struct Norm {
    std::vector<index_t> cells;            // of a block, places in (f, K)
    std::vector<double> direction;         // b / |b|
    double slope;                          // of the norm over |b|: curvature slope (I - direction direction')
    double bend = 0.0;                     // and along the direction, below 0 where the penalty is concave
  };
  std::vector<Norm> norms;
  std::vector<double> ridge;               // (f, K) curvature of its own, below 0 where the penalty is concave
};

class ImplicitNewton {
 public:
  // diagonal, root (n, K) as Loss::split gives them; flat: share of a row's mean curvature along (1, ..., 1), where it has none
  ImplicitNewton(const Columns& x, const FreeCells& cells, index_t predictors, const double* diagonal, const double* root,
                 double flat);
  // gram: of the features for some weights that sum to `total`, at gram[places[i], places[j]]; it preconditions.
  void prepare(const ModelMatrix& gram, const std::vector<index_t>& places, double total);
  // step (f, K) and the intercepts' (K,) to where the squared residual is `share` of its first, or promises `enough`
  void solve(double share, double enough, std::vector<double>& step, std::vector<double>& intercepts);

 private:
  static constexpr int kMost = 60;         // products
  static constexpr int kMostSparse = 300;  // with a diagonal preconditioner
  void apply(const std::vector<double>& v, std::vector<double>& out);  // (f K + K,)
  void rows(const std::vector<const double*>& columns, index_t row, index_t rows, std::vector<double>& out);
  void all_rows(std::vector<double>& out);  // the same for sparse columns
  void bend(index_t row, index_t rows, std::vector<double>& out);
  void precondition(const std::vector<double>& r, std::vector<double>& z) const;
  bool factor(const ModelMatrix& gram, const std::vector<index_t>& places, double total,
              const std::vector<double>& diagonal);
  bool alone() const;  // whether the diagonal is all that preconditions
  bool norms_pay() const;
  bool factor_norms();
  void solve_classes(std::vector<double>& v) const;
  void copy_rows(index_t row, index_t rows, double* to) const;

  const Columns& x_;
  const FreeCells& cells_;
  const index_t predictors_, features_;
  const double* diagonal_;
  const double* root_;
  std::vector<double> flat_;  // (n,)
  const bool sparse_;
  bool lies_ = false, held_ = false;  // whether columns are read where they lie, or copied once for all products
  bool raw_ = true;           // whether columns are read as they are, and centred and scaled in the coefficients
  std::vector<double> inverse_, shift_;              // (f,) what is left for these,
  std::vector<double> panel_inverse_, panel_shift_;  // (f,) and what is done to columns that are copied
  std::vector<double> panel_, image_, bent_, coef_;
  std::vector<double> totals_;                 // (K,) sums of the diagonal curvatures
  std::vector<std::vector<index_t>> members_;  // of each predictor, free features
  std::vector<std::vector<double>> factors_;   // Cholesky, upper, of each predictor
  std::vector<double> single_;                 // (f, K) where there are none: the diagonal
  std::vector<double> norms_;                  // of what norms take away from that; empty: not taken in
};

}  // namespace bridle
