// Newton's system of more coefficients than there are rows, in the space of the rows, for one predictor or several that
// don't meet in the curvature.
//
// A (nK, c) are the free coefficients' columns (block_columns.hpp), each in the rows of its predictor; S is their penalty's
// curvature: of a norm across (I - d d') + along d d', d = b / |b|. Along directions without curvature of their own rows are
// projected, Q = I - Y (Y'Y)^-1 Y', Y = A d; with the rest eliminated (Woodbury), nK equations with M = I + Q A S^-1 A'Q are
// left. But for Y, predictors don't meet there: N = I + A diag(1 / across) A' has n equations for each, and with all norms'
// images Y, flat or not, M^-1 = N^-1 - N^-1 Y (C + Y'N^-1 Y)^-1 Y'N^-1, C = diag(along across / (across - along)), on what Q
// leaves, and the identity elsewhere. Conjugate gradients take that of an older M, which needs neither the same coefficients
// nor the same penalty.
#pragma once

#include <vector>

#include "simd.hpp"

namespace bridle {

// Penalty's curvature on the free cells [first, last), which follow one another: at right angles to the coefficients, and along.
struct Curve {
  index_t first, last;
  double across, along;
  index_t count() const { return last - first; }
  double diagonal() const { return count() > 1 ? across : along; }  // but for what the direction takes away
};

// Free cells: columns (n,) of the model and predictors, (c,) each, those of a predictor in runs.
struct RowCells {
  index_t rows = 0, predictors = 1;  // n, K
  std::vector<const double*> columns;
  std::vector<index_t> owner;
  index_t count() const { return static_cast<index_t>(columns.size()); }
  void dots(index_t first, index_t last, const double* v, double* out) const;      // out = A'v of some cells; v (n, K)
  void add(index_t first, index_t last, const double* coef, double* v) const;      // v += A coef

 private:
  template <class Use>
  void runs(index_t first, index_t last, Use&& use) const;
};

class RowNewton {
 public:
  // Whether this costs less than the matrix of all cells, and can be done.
  bool suits(const RowCells& cells, const std::vector<Curve>& curves) const;
  // step (c,) = (A'A + S)^-1 gradient, to a small share of what it promises, and image (n, K) = A step; unit directions d
  // (c,), curve after curve. False where it couldn't be found.
  bool solve(const RowCells& cells, const std::vector<Curve>& curves, const std::vector<double>& direction,
             const std::vector<double>& gradient, std::vector<double>& step, std::vector<double>& image);

 private:
  bool take_images();
  bool factor();
  bool factor_rows();
  bool iterate(const std::vector<double>& right, double most);
  void product(const std::vector<double>& v, std::vector<double>& out);
  void precondition(const std::vector<double>& from, std::vector<double>& v) const;
  void project(std::vector<double>& v) const;
  void dots(const Curve& curve, const double* v, double* out) const { cells_->dots(curve.first, curve.last, v, out); }
  void add(const Curve& curve, const double* coef, double* v) const { cells_->add(curve.first, curve.last, coef, v); }
  void bend(const Curve& curve, double* values) const;                    // S^-1, 0 along what has no curvature
  double factor_price() const;
  double product_price() const { return kOwnLoop * static_cast<double>(n_ * cells_->count()); }

  static constexpr double kOwnLoop = 16.0;  // operations of BLAS that a cell's share of a product takes a row

  const RowCells* cells_ = nullptr;
  const std::vector<Curve>* curves_ = nullptr;
  const double* direction_ = nullptr;
  index_t n_ = 0, predictors_ = 0, rows_ = 0;  // rows_ = n K
  struct Images {
    index_t flat = 0, count = 0;
    std::vector<double> values;                // Y (nK, count), the flat ones first,
    std::vector<const double*> columns;        // and its columns
    std::vector<double> upper;                 // Cholesky, upper, of the flat ones' Y'Y
    void lay(index_t rows);
  } now_, then_, solved_;                      // then_: of the older M; solved_: U'^-1 Y there, U'U = N, with C + Y'N^-1 Y
  std::vector<double> bends_;                  // C
  std::vector<std::vector<double>> factors_;   // Cholesky, upper, of the older N, each (n, n); none: empty
  std::vector<index_t> which_;                 // (K,) of these is a predictor's
  double debt_ = 0.0;                          // operations spent on products that a newer factor might have spared
  std::vector<double> q_, held_;
};

}  // namespace bridle
