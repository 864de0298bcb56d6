#include "callback.hpp"

#include <algorithm>
#include <limits>

namespace bridle_bind {
namespace {

using bridle::index_t;

constexpr double kFlat = 1e-4;  // of the largest curvature: flat places get that, so that steps stay finite

nb::object copy(const double* from, index_t n) {
  return nb::cast(to_numpy(std::vector<double>(from, from + n)));
}

double total(const double* w, index_t n, const std::vector<double>& each) {
  double sum = 0.0;
  for (index_t i = 0; i < n; ++i)
    if (w[i] > 0.0) sum += w[i] * each[i];
  return sum;
}

}  // namespace

template <class... Arrays>
std::vector<double> PythonLoss::call(const char* what, index_t n, Arrays... arrays) const {
  std::vector<double> out(n, 0.0);
  nb::gil_scoped_acquire lock;
  if (error_) return out;
  try {
    const nb::object result = ask_(what, copy(arrays, n)...);
    const Vector values = nb::cast<Vector>(result, false);
    if (static_cast<index_t>(values.shape(0)) != n) throw nb::value_error("a family's function changed the shape");
    std::copy(values.data(), values.data() + n, out.begin());
  } catch (...) {
    error_ = std::current_exception();
  }
  return out;
}

double PythonLoss::value(const double* y, const double* w, const double* eta, index_t n) const {
  return total(w, n, call("loss", n, y, eta));
}

void PythonLoss::derivatives(const double* y, const double* w, const double* eta, index_t n, double* residual,
                             double* curvature) const {
  const std::vector<double> slope = call("gradient", n, y, eta), bend = call("curvature", n, y, eta);
  double most = 0.0;
  for (index_t i = 0; i < n; ++i)
    if (w[i] > 0.0) most = std::max(most, bend[i]);
  for (index_t i = 0; i < n; ++i) {
    residual[i] = w[i] > 0.0 ? -w[i] * slope[i] : 0.0;
    curvature[i] = w[i] > 0.0 ? w[i] * std::max(bend[i], kFlat * most) : 0.0;
  }
}

double PythonLoss::saturated(const double* y, const double* w, index_t n) const {
  return total(w, n, call("saturated", n, y));
}

double PythonLoss::scaling_gap(const double* y, const double* w, const double* eta, index_t n, double s) const {
  std::vector<double> slope = call("gradient", n, y, eta);
  for (double& u : slope) u *= s;
  const std::vector<double> at = call("loss", n, y, eta), dual = call("conjugate_from", n, y, slope.data(), eta);
  double sum = 0.0;
  for (index_t i = 0; i < n; ++i)
    if (w[i] > 0.0) sum += w[i] * (at[i] + dual[i] - slope[i] * eta[i]);
  return sum < 0.0 ? 0.0 : sum;  // a sum that isn't a number stays one, and proves nothing
}

}  // namespace bridle_bind
