#include "concordance.hpp"
#include "cox.hpp"

#include <nanobind/stl/unique_ptr.h>

#include "arrays.hpp"

namespace bridle_bind {
namespace {

using bridle::Cox;
using bridle::index_t;

std::unique_ptr<Cox> make(Rows rows, bool efron) {
  if (rows.shape(1) != 4) throw nb::value_error("a row is start, time, event, stratum");
  return std::make_unique<Cox>(rows.data(), static_cast<index_t>(rows.shape(0)),
                               efron ? bridle::Ties::efron : bridle::Ties::breslow);
}

void check(const Cox& cox, const Vector& v) {
  if (static_cast<index_t>(v.shape(0)) != cox.rows()) throw nb::value_error("a row vector has the wrong length");
}

// eta (L, n) -> (L,)
nb::ndarray<nb::numpy, double> values(const Cox& cox, Vector w, Rows eta) {
  check(cox, w);
  const index_t n = cox.rows(), count = static_cast<index_t>(eta.shape(0));
  if (static_cast<index_t>(eta.shape(1)) != n) throw nb::value_error("predictors have the wrong length");
  std::vector<double> out(count);
  {
    nb::gil_scoped_release release;
    for (index_t l = 0; l < count; ++l) out[l] = cox.value(nullptr, w.data(), eta.data() + l * n, n);
  }
  return to_numpy(std::move(out));
}

nb::tuple derivatives(const Cox& cox, Vector w, Vector eta) {
  check(cox, w);
  check(cox, eta);
  std::vector<double> residual(cox.rows()), curvature(cox.rows());
  cox.derivatives(nullptr, w.data(), eta.data(), cox.rows(), residual.data(), curvature.data());
  return nb::make_tuple(to_numpy(std::move(residual)), to_numpy(std::move(curvature)));
}

nb::ndarray<nb::numpy, double> curvature_times(const Cox& cox, Vector w, Vector eta, Vector x) {
  check(cox, w);
  check(cox, eta);
  check(cox, x);
  std::vector<double> out(cox.rows());
  cox.second(w.data(), eta.data(), cox.rows())->times(x.data(), out.data());
  return to_numpy(std::move(out));
}

double saturated(const Cox& cox, Vector w) {
  check(cox, w);
  return cox.saturated(nullptr, w.data(), cox.rows());
}

double scaling_gap(const Cox& cox, Vector w, Vector eta, double s) {
  check(cox, w);
  check(cox, eta);
  return cox.scaling_gap(nullptr, w.data(), eta.data(), cox.rows(), s);
}

nb::tuple increments(const Cox& cox, Vector w, Vector eta) {
  check(cox, w);
  check(cox, eta);
  std::vector<double> hazard, scale;
  cox.increments(w.data(), eta.data(), hazard, scale);
  return nb::make_tuple(to_numpy(std::move(hazard)), to_numpy(std::move(scale)));
}

using Ranks = nb::ndarray<const index_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::tuple concordant(Rows rows, Ranks rank, Vector w, index_t ranks) {
  const index_t n = static_cast<index_t>(rows.shape(0));
  if (rows.shape(1) != 4 || static_cast<index_t>(rank.shape(0)) != n || static_cast<index_t>(w.shape(0)) != n)
    throw nb::value_error("a row vector has the wrong length");
  const bridle::Concordance found = bridle::concordance(rows.data(), rank.data(), w.data(), n, ranks);
  return nb::make_tuple(found.below, found.tied, found.all);
}

}  // namespace

void bind_survival(nb::module_& m) {
  nb::class_<Cox, bridle::Loss>(m, "Cox")
      .def("values", &values, nb::arg("w"), nb::arg("eta"))
      .def("derivatives", &derivatives, nb::arg("w"), nb::arg("eta"))
      .def("curvature_times", &curvature_times, nb::arg("w"), nb::arg("eta"), nb::arg("x"))
      .def("saturated", &saturated, nb::arg("w"))
      .def("scaling_gap", &scaling_gap, nb::arg("w"), nb::arg("eta"), nb::arg("s"))
      .def("increments", &increments, nb::arg("w"), nb::arg("eta"));
  m.def("concordance", &concordant, nb::arg("rows"), nb::arg("rank"), nb::arg("w"), nb::arg("ranks"));
  m.def("cox", &make, nb::arg("rows"), nb::arg("efron"));
}

}  // namespace bridle_bind
