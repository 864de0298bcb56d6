// Newton's system of more coefficients than there are rows, in the space of the rows.
//
// A (n, c) are the free coefficients' columns (block_columns.hpp), S their penalty's curvature: of a norm it is (I - d d') times its slope over
// |b|, d = b / |b|. Along directions without curvature of their own, Y = A d, rows are projected, Q = I - Y (Y'Y)^-1 Y'; with the
// rest eliminated (Woodbury), n equations with M = I + Q A S^-1 A'Q are left. Conjugate gradients solve them with the factor
// of an older M: that needs neither the same coefficients nor the same penalty.
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

class RowNewton {
 public:
  // Whether this costs less than the matrix of all cells, and can be done for n rows.
  bool suits(index_t n, index_t cells, const std::vector<Curve>& curves) const;
  // step (c,) = (A'A + penalty's)^-1 gradient, to a small share of what it promises, and image (n,) = A step; columns (c,) of A,
  // unit directions d (c,), curve after curve. False where it couldn't be found.
  bool solve(index_t n, const std::vector<const double*>& columns, const std::vector<Curve>& curves,
             const std::vector<double>& direction, const std::vector<double>& gradient, std::vector<double>& step,
             std::vector<double>& image);

 private:
  bool take_flat();
  void factor();
  bool iterate(const std::vector<double>& right, double most);
  void product(const std::vector<double>& v, std::vector<double>& out);
  void project(std::vector<double>& v) const;
  void dots(const Curve& curve, const double* v, double* out) const;      // out = A'v of a curve's cells
  void add(const Curve& curve, const double* coef, double* v) const;      // v += A coef
  void bend(const Curve& curve, double* values) const;                    // S^-1, 0 along what has no curvature
  double factor_price() const;
  double product_price() const { return kOwnLoop * static_cast<double>(n_ * cells_); }

  static constexpr double kOwnLoop = 16.0;  // operations of BLAS that a cell's share of a product takes a row

  index_t n_ = 0, cells_ = 0, flat_ = 0;
  const double* const* columns_ = nullptr;     // (c,)
  const std::vector<Curve>* curves_ = nullptr;
  const double* direction_ = nullptr;
  std::vector<double> flats_, upper_;          // Y (n, flat); U with Y'Y = U'U
  std::vector<const double*> flat_columns_;    // (flat,) of Y
  std::vector<double> factor_;                 // Cholesky, upper, of an older M; empty: none
  double debt_ = 0.0;                          // operations spent on products that a newer factor might have spared
  std::vector<double> q_, held_;
  mutable std::vector<double> along_;
};

}  // namespace bridle
