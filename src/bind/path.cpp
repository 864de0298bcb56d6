#include "arrays.hpp"
#include "moments.hpp"
#include "results.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

nb::dict solve(const BoundDesign& x, int family, Vector y, Vector w, Vector offset, Vector centre, Vector scale,
               nb::tuple penalty, double l1_ratio, bool intercept, double start, double reference, Vector lambdas,
               double tol, index_t max_iter, int mode, const bridle::Summary* summary) {
  Vector factor = nb::cast<Vector>(penalty[0]), lower = nb::cast<Vector>(penalty[1]),
             upper = nb::cast<Vector>(penalty[2]);
  const index_t n = x.view->rows(), p = x.view->columns();
  for (Vector* v : {&y, &w, &offset})
    if (static_cast<index_t>(v->shape(0)) != n) throw nb::value_error("a row vector has the wrong length");
  for (Vector* v : {&centre, &scale, &factor, &lower, &upper})
    if (static_cast<index_t>(v->shape(0)) != p) throw nb::value_error("a column vector has the wrong length");

  bridle::Problem problem;
  problem.design = x.view.get();
  problem.summary = summary;
  problem.family = static_cast<bridle::Family>(family);
  problem.y = y.data();
  problem.w = w.data();
  problem.offset = offset.data();
  problem.centre = centre.data();
  problem.scale = scale.data();
  problem.factor = factor.data();
  problem.lower = lower.data();
  problem.upper = upper.data();
  problem.l1_ratio = l1_ratio;
  problem.intercept = intercept;
  problem.start = start;
  problem.reference = reference;
  SignalCheck signals;
  bridle::Settings settings;
  settings.tol = tol;
  settings.max_iter = max_iter;
  settings.mode = static_cast<bridle::Mode>(mode);
  settings.interrupted = &SignalCheck::ask;
  settings.context = &signals;

  bridle::PathResult result;
  bridle::Status status;
  {
    nb::gil_scoped_release release;
    status = bridle::solve_path(problem, lambdas.data(), static_cast<index_t>(lambdas.shape(0)), settings, result);
  }
  if (signals.raised) throw nb::python_error();
  if (status == bridle::Status::out_of_memory) throw std::bad_alloc();
  return to_dict(std::move(result));
}

}  // namespace

void bind_path(nb::module_& m) {
  m.def("solve_path", &solve, nb::arg("design"), nb::arg("family"), nb::arg("y"), nb::arg("w"), nb::arg("offset"),
        nb::arg("centre"), nb::arg("scale"), nb::arg("penalty"), nb::arg("l1_ratio"), nb::arg("intercept"),
        nb::arg("start"), nb::arg("reference"), nb::arg("lambdas"), nb::arg("tol"), nb::arg("max_iter"),
        nb::arg("mode"), nb::arg("summary").none() = nb::none());
}

}  // namespace bridle_bind
