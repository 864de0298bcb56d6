#include "lockstep.hpp"
#include "moments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <nanobind/stl/optional.h>

#include "results.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;
using Cells = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Sums of products, and what they are about.
struct BoundMoments {
  bridle::Moments sums;
  std::vector<double> centre;
  double start;  // what y is counted from
};

void check(bool holds, const char* what) {
  if (!holds) throw nb::value_error(what);
}

void check_cells(const BoundMoments& m, const Cells& which) {
  for (size_t i = 0; i < which.shape(0); ++i)
    check(which.data()[i] >= 0 && which.data()[i] < m.sums.cells(), "there is no such cell");
}

BoundMoments moments(const BoundDesign& x, Vector y, Vector w, Vector centre, double start, std::optional<Cells> cell,
                     index_t cells, std::pair<index_t, index_t> range) {
  const index_t n = x.view->rows(), p = x.view->columns();
  check(x.view->dense() != nullptr, "moments are of dense matrices");
  check(static_cast<index_t>(y.shape(0)) == n && static_cast<index_t>(w.shape(0)) == n, "y and w need n values");
  check(static_cast<index_t>(centre.shape(0)) == p, "centre needs one value per column");
  check(0 <= range.first && range.first <= range.second && range.second <= n, "these aren't rows of x");
  check(cells >= 1 && (cell || cells == 1), "cells need a number for each row");
  if (cell) {
    check(static_cast<index_t>(cell->shape(0)) == n, "cell needs one value per row");
    const std::int32_t* c = cell->data();
    for (index_t i = range.first; i < range.second; ++i) check(c[i] >= 0 && c[i] < cells, "a row's cell isn't one");
  }
  bridle::MomentRows rows{x.view.get(), y.data(), w.data(), centre.data(), cell ? cell->data() : nullptr, cells};
  BoundMoments out{bridle::Moments(p, cells), std::vector<double>(centre.data(), centre.data() + p), start};
  nb::gil_scoped_release release;
  out.sums.add(rows, range.first, range.second);
  return out;
}

void add(BoundMoments& to, const BoundMoments& from) {
  check(to.sums.columns() == from.sums.columns() && to.sums.cells() == from.sums.cells(), "moments of other cells");
  nb::gil_scoped_release release;
  to.sums.add(from.sums);
}

bridle::Summary summary(const BoundMoments& m, Cells which) {
  check_cells(m, which);
  nb::gil_scoped_release release;
  const index_t q = m.sums.columns() + 2;
  std::vector<double> total(q * q);
  const index_t rows = m.sums.sum(which.data(), static_cast<index_t>(which.shape(0)), total.data());
  return bridle::Summary(total.data(), m.sums.columns(), m.centre.data(), m.start, rows);
}

nb::ndarray<nb::numpy, double> provisional_centre(const BoundDesign& x) {
  check(x.view->dense() != nullptr, "moments are of dense matrices");
  std::vector<double> out(x.view->columns());
  {
    nb::gil_scoped_release release;
    bridle::provisional_centre(*x.view, out.data());
  }
  return to_numpy(std::move(out));
}

std::vector<double> deviation(const bridle::Summary& s) {
  std::vector<double> out(s.p);
  for (index_t j = 0; j < s.p; ++j) out[j] = std::sqrt(s.covariance[j * s.p + j]);
  return out;
}

// (p, L), column by column, from compressed rows
std::vector<double> dense_coefficients(const bridle::PathResult& path, index_t p) {
  const size_t count = path.intercept.size();
  std::vector<double> out(p * count, 0.0);
  for (size_t l = 0; l < count; ++l)
    for (index_t e = path.starts[l]; e < path.starts[l + 1]; ++e) out[l * p + path.columns[e]] = path.values[e];
  return out;
}

// The path of some rows and its squared error on others, both from moments. None where rounding calls for the rows.
nb::object fold_path(const bridle::Summary& fitted, const BoundMoments& all, Cells held, Vector scale,
                     nb::tuple penalty, double l1_ratio, bool intercept, Vector lambdas, double tol, index_t max_iter) {
  Vector factor = nb::cast<Vector>(penalty[0]), lower = nb::cast<Vector>(penalty[1]),
         upper = nb::cast<Vector>(penalty[2]);
  for (Vector* v : {&scale, &factor, &lower, &upper})
    check(static_cast<index_t>(v->shape(0)) == fitted.p, "a column vector has the wrong length");
  check(all.sums.columns() == fitted.p, "moments of other columns");
  check_cells(all, held);
  SignalCheck signals;
  bridle::PathResult result;
  bridle::Status status;
  bridle::HeldOut test;
  {
    nb::gil_scoped_release release;
    bridle::Problem problem;
    problem.summary = &fitted;
    problem.scale = scale.data();
    problem.factor = factor.data();
    problem.lower = lower.data();
    problem.upper = upper.data();
    problem.l1_ratio = l1_ratio;
    problem.intercept = intercept;
    const double y = fitted.start + fitted.y_mean;
    problem.start = intercept ? y : 0.0;
    problem.reference = 0.5 * (fitted.y_variance + (intercept ? 0.0 : y * y));
    bridle::Settings settings;
    settings.tol = tol;
    settings.max_iter = max_iter;
    settings.interrupted = &SignalCheck::ask;
    settings.context = &signals;
    const index_t count = static_cast<index_t>(lambdas.shape(0)), q = fitted.p + 2;
    status = bridle::solve_path(problem, lambdas.data(), count, settings, result);
    if (status == bridle::Status::converged) {
      std::vector<double> sums(q * q), coef = dense_coefficients(result, fitted.p);
      const index_t rows = all.sums.sum(held.data(), static_cast<index_t>(held.shape(0)), sums.data());
      test = bridle::held_out_error(sums, rows, fitted, intercept, coef.data(), count);
    }
  }
  if (signals.raised) throw nb::python_error();
  if (status == bridle::Status::out_of_memory) throw std::bad_alloc();
  if (status != bridle::Status::converged) return nb::none();
  nb::dict out = to_dict(std::move(result));
  out["test_loss"] = to_numpy(std::move(test.loss));
  out["test_rounding"] = test.rounding;
  return out;
}

}  // namespace

void bind_moments(nb::module_& m) {
  nb::class_<BoundMoments>(m, "Moments")
      .def("add", &add, nb::arg("other"))
      .def("summary", &summary, nb::arg("which").noconvert());
  nb::class_<bridle::Summary>(m, "Summary")
      .def_ro("weight", &bridle::Summary::weight)
      .def_ro("y_variance", &bridle::Summary::y_variance)
      .def_prop_ro("y_mean", [](const bridle::Summary& s) { return s.start + s.y_mean; })
      .def_prop_ro("cancellation", &bridle::Summary::cancellation)
      .def_prop_ro("mean", [](const bridle::Summary& s) { return to_numpy(std::vector<double>(s.mean)); },
                   nb::rv_policy::move)
      .def_prop_ro("slope", [](const bridle::Summary& s) { return to_numpy(std::vector<double>(s.slope)); },
                   nb::rv_policy::move)
      .def_prop_ro("deviation", [](const bridle::Summary& s) { return to_numpy(deviation(s)); },
                   nb::rv_policy::move);
  m.def("provisional_centre", &provisional_centre, nb::arg("design"));
  m.def("moments", &moments, nb::arg("design"), nb::arg("y").noconvert(), nb::arg("w").noconvert(),
        nb::arg("centre").noconvert(), nb::arg("start"), nb::arg("cell").noconvert().none(), nb::arg("cells"),
        nb::arg("rows"));
  m.def("fold_path", &fold_path, nb::arg("summary"), nb::arg("moments"), nb::arg("held").noconvert(),
        nb::arg("scale").noconvert(), nb::arg("penalty"), nb::arg("l1_ratio"), nb::arg("intercept"),
        nb::arg("lambdas").noconvert(), nb::arg("tol"), nb::arg("max_iter"));
}

}  // namespace bridle_bind
