// The penalty of one block of coefficients, l1 |b|_1 + rho(|b|_2) + ridge/2 |b|_2^2, at one lambda.
//
// A block is a group of features over one or all linear predictors; a single coefficient is the smallest one. rho is
// l2 |b|_2 (group lasso; the lasso for a single coefficient), or MCP or SCAD of the norm, which are concave.
#pragma once

#include <limits>

#include "simd.hpp"

namespace bridle {

enum class Shape : int { lasso = 0, mcp = 1, scad = 2 };

struct BlockTerm {
  double l1 = 0.0;     // lam a t v
  double l2 = 0.0;     // lam a (1 - t) v sqrt(m): slope of rho at 0
  double ridge = 0.0;  // lam (1 - a) v
  Shape shape = Shape::lasso;
  double gamma = 3.0;  // where rho is flat: from gamma l2 on
  double lower = -std::numeric_limits<double>::infinity();  // of single coefficients
  double upper = std::numeric_limits<double>::infinity();

  bool free() const { return l1 == 0.0 && l2 == 0.0; }  // nothing holds the block at 0
  bool concave() const { return shape != Shape::lasso && l2 > 0.0; }
  double rho(double r) const;
  double rho_slope(double r) const;      // at r >= 0
  double rho_curvature(double r) const;  // at r > 0, from the right; never positive
  // The tangent of rho in the norm at r: a convex penalty that lies above this one and touches it there.
  BlockTerm tangent(double r) const;

  double value(const double* b, index_t count) const;
  // How much of z (count,) neither l1 nor l2 hold at 0: (|soft(z, l1)|_2 - l2)+, or what bounds leave of it
  double excess(const double* z, index_t count, double widen = 0.0) const;
  // Distance of z, minus the loss's slope at b, from the subdifferential at b
  double violation(const double* b, const double* z, index_t count) const;
  // sup_b z'b - value(b), of the lasso's shape, |z_i| widened by `widen`
  double conjugate(const double* z, index_t count, double widen = 0.0) const;
  // Largest s <= 1 at which s z is held at 0
  double feasible_scale(const double* z, index_t count, double widen) const;

  // argmin_b 1/2 h b^2 - z b + penalty of a single coefficient
  double minimiser(double z, double h) const;
};

// argmin_u sum_i [1/2 h_i u_i^2 - z_i u_i] + rho(|u|_2) + ridge/2 |u|^2 for a block without l1 part, curvatures h (count,)
// in the block's eigenbasis; start: |u| to start from where rho is concave.
void minimise_norm(const BlockTerm& term, const double* h, const double* z, index_t count, double start, double* u);

// b = argmin 1/2 step |b - b0|^2 - (z)'(b - b0) + penalty, the proximal step of the lasso's shape; b0, z, b (count,)
void proximal_step(const BlockTerm& term, double step, const double* b0, const double* z, index_t count, double* b);

}  // namespace bridle
