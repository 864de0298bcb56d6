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
  };
  std::vector<Norm> norms;
  std::vector<double> ridge;               // (f, K)
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
  static constexpr int kMost = 60;  // products
  void apply(const std::vector<double>& v, std::vector<double>& out);  // (f K + K,)
  void rows(const double* panel, index_t row, index_t rows, const std::vector<double>& v, std::vector<double>& out);
  void precondition(const std::vector<double>& r, std::vector<double>& z) const;

  const Columns& x_;
  const FreeCells& cells_;
  const index_t predictors_, features_;
  const double* diagonal_;
  const double* root_;
  std::vector<double> flat_;  // (n,)
  std::vector<double> inverse_, shift_, panel_, image_, bent_;
  std::vector<double> totals_;                 // (K,) sums of the diagonal curvatures
  std::vector<std::vector<index_t>> members_;  // of each predictor, free features
  std::vector<std::vector<double>> factors_;   // Cholesky, upper, of each predictor
};

}  // namespace bridle
