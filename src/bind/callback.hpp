// A family that is defined in Python: its loss is asked for whole arrays, with the interpreter's lock taken.
#pragma once

#include <exception>

#include "arrays.hpp"
#include "losses.hpp"

namespace bridle_bind {

// Asks `ask(what, *arrays)` for loss, gradient, curvature, saturated and conjugate_from, (n,) each (bridle.losses.Family).
// Kernels don't throw: what it raises is kept, the loss is then flat so that a solver ends soon, and whoever has
// called the solver calls rethrow.
class PythonLoss final : public bridle::Loss {
 public:
  using index_t = bridle::index_t;
  explicit PythonLoss(nb::object ask) : ask_(std::move(ask)) {}

  double value(const double* y, const double* w, const double* eta, index_t n) const override;
  void derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                   double* curvature) const override;
  double saturated(const double* y, const double* w, index_t n) const override;
  double scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const override;
  bool may_separate() const override { return true; }  // nothing is known: at lambda = 0 it has to run far
  void rethrow() const {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  template <class... Arrays>
  std::vector<double> call(const char* what, index_t n, Arrays... arrays) const;

  nb::object ask_;
  mutable std::exception_ptr error_;  // guarded by the interpreter's lock
};

}  // namespace bridle_bind
