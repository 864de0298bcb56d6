// Families: the unit loss of a row, its slope and its curvature in the linear predictor eta.
//
// A further family is one more class with these members and one more line in make_loss; one that holds data of its own
// (order of times, a function of the user's) is made elsewhere. Several solvers may ask one loss at the same time.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "simd.hpp"

namespace bridle {

// Second derivatives H of a loss at one point, where they aren't diagonal; (n, n), never formed.
class Curvature {
 public:
  virtual ~Curvature() = default;
  virtual void times(const double* x, double* out) const = 0;  // out = H x, (n,) each
};

// One block of rows: y, w, eta are (n,); w sums to 1 over all rows.
class Loss {
 public:
  virtual ~Loss() = default;
  // sum_i w_i loss(y_i, eta_i)
  virtual double value(const double* y, const double* w, const double* eta, index_t n) const = 0;
  // residual_i = -w_i loss'(y_i, eta_i), curvature_i = w_i loss''(y_i, eta_i), both (n,)
  virtual void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                           double* curvature) const = 0;
  // Both; a family whose value and slopes share most of their work does it once.
  virtual double evaluate(const double* y, const double* w, const double* eta, index_t n, double* residual,
                          double* curvature) const {
    derivatives(y, w, eta, n, residual, curvature);
    return value(y, w, eta, n);
  }
  // |loss'''| <= loss'' in eta, everywhere (Bach 2010): a short move of eta changes slopes by what curvature says.
  virtual bool self_concordant() const { return false; }
  // It has flat or nearly flat pieces, where Newton's model is too low and its steps too long.
  virtual bool sharp() const { return false; }
  // For these: raises curvature (n,) to this share of that of a parabola which touches the loss at eta and lies above it everywhere.
  virtual void raise(const double* /*y*/, const double* /*w*/, const double* /*eta*/, index_t /*n*/, double /*share*/,
                     double* /*curvature*/) const {}
  // sum_i w_i loss at its least in eta
  virtual double saturated(const double* y, const double* w, index_t n) const = 0;
  // Fenchel-Young gap sum_i w_i [loss(eta_i) + loss*(s u_i) - s u_i eta_i], u_i = loss'(y_i, eta_i), 0 <= s <= 1:
  // what scaling the dual point by s costs; never negative, 0 at s = 1.
  virtual double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const = 0;
  // The loss is its own quadratic model, so that one step is exact.
  virtual bool quadratic() const { return false; }
  // K, the number of linear predictors of a row. For K > 1 eta and residual are (n, K) by columns, and derivatives needn't
  // fill curvature unless the loss is quadratic: then it is w_i, and predictors don't meet in the curvature.
  virtual index_t responses() const { return 1; }
  // For K > 1 and no quadratic loss: out (n, K (K + 1) / 2) by columns, w_i times the second derivatives of the loss in
  // predictors k <= l in column l (l + 1) / 2 + k. Directions in which the loss has none get `flat` of the others' mean.
  virtual void curvatures(const double* y, const double* w, const double* eta, index_t n, double flat, double* out) const {
    (void)y, (void)w, (void)eta, (void)n, (void)flat, (void)out;
  }
  // The same curvatures apart, where they are diag(d_i) - r_i r_i': out d and r, (n, K) by columns each. Products cost K then.
  virtual void split(const double* w, const double* eta, index_t n, double* diagonal, double* root) const {
    (void)w, (void)eta, (void)n, (void)diagonal, (void)root;
  }
  // It may fall for ever along a direction, so that without a penalty there is no minimum.
  virtual bool may_separate() const { return false; }
  // How far in eta one Newton step on the intercept may go: about where the curvature stays the same.
  virtual double reach() const { return 2.0; }
  // Adding a constant to eta changes nothing, so that there is no intercept to fit.
  virtual bool shift_invariant() const { return false; }
  // Rows act on each other: the curvature of `derivatives` is then a diagonal that H doesn't exceed, and this is H.
  virtual bool coupled() const { return false; }
  virtual std::unique_ptr<Curvature> second(const double*, const double*, index_t) const { return nullptr; }
};

// scaling_gap from slopes and curvatures that are known at eta; a self-concordant loss mostly needs no exponentials for it:
// where slopes are off by (1 - s) residual_i, r_i = that over the curvature, eta is by -log(1 - r_i) at most, and the gap by
// curvature_i (r_i + (1 - r_i) log(1 - r_i)).
double scaling_cost(const Loss& loss, const double* y, const double* w, const double* eta, const double* residual,
                    const double* curvature, index_t n, double s);

constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline double xlogy(double x, double y) { return x == 0.0 ? 0.0 : x * std::log(y); }

// The loss of a family by its name and the values of its parameters; null if there is no such family.
std::unique_ptr<Loss> make_loss(const std::string& family, const std::vector<double>& parameters);

// The same, for one topic each.
std::unique_ptr<Loss> make_logistic_loss(const std::string& family, const std::vector<double>& parameters);
std::unique_ptr<Loss> make_log_link_loss(const std::string& family, const std::vector<double>& parameters);
std::unique_ptr<Loss> make_piecewise_loss(const std::string& family, const std::vector<double>& parameters);

}  // namespace bridle
