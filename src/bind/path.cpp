#include <chrono>

#include "arrays.hpp"
#include "path.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

// Lets Python handle its signals ten times a second while the core runs without the interpreter's lock.
struct SignalCheck {
  std::chrono::steady_clock::time_point next = std::chrono::steady_clock::now();
  bool raised = false;

  static bool ask(void* context) {
    auto* self = static_cast<SignalCheck*>(context);
    const auto now = std::chrono::steady_clock::now();
    if (now < self->next) return self->raised;
    self->next = now + std::chrono::milliseconds(100);
    nb::gil_scoped_acquire hold;
    self->raised = self->raised || PyErr_CheckSignals() != 0;
    return self->raised;
  }
};

nb::dict solve(const BoundDesign& x, int family, Vector y, Vector w, Vector offset, nb::tuple moments, nb::tuple penalty,
               double l1_ratio, bool intercept, double start, double reference, Vector lambdas,
               double tol, index_t max_iter, int mode) {
  Vector factor = nb::cast<Vector>(penalty[0]), lower = nb::cast<Vector>(penalty[1]),
             upper = nb::cast<Vector>(penalty[2]);
  Vector centre = nb::cast<Vector>(moments[0]), scale = nb::cast<Vector>(moments[1]),
         mean = nb::cast<Vector>(moments[2]), deviation = nb::cast<Vector>(moments[3]),
         products = nb::cast<Vector>(moments[4]);
  const index_t n = x.view->rows(), p = x.view->columns();
  for (Vector* v : {&y, &w, &offset})
    if (static_cast<index_t>(v->shape(0)) != n) throw nb::value_error("a row vector has the wrong length");
  for (Vector* v : {&centre, &scale, &mean, &deviation, &products, &factor, &lower, &upper})
    if (static_cast<index_t>(v->shape(0)) != p) throw nb::value_error("a column vector has the wrong length");

  bridle::Problem problem;
  problem.design = x.view.get();
  problem.family = static_cast<bridle::Family>(family);
  problem.y = y.data();
  problem.w = w.data();
  problem.offset = offset.data();
  problem.centre = centre.data();
  problem.scale = scale.data();
  problem.mean = mean.data();
  problem.deviation = deviation.data();
  problem.products = products.data();
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
  nb::dict out;
  out["intercept"] = to_numpy(std::move(result.intercept));
  out["starts"] = to_numpy(std::move(result.starts));
  out["columns"] = to_numpy(std::move(result.columns));
  out["values"] = to_numpy(std::move(result.values));
  out["gap"] = to_numpy(std::move(result.gap));
  out["kkt"] = to_numpy(std::move(result.kkt));
  out["loss"] = to_numpy(std::move(result.loss));
  out["status"] = to_numpy(std::move(result.status));
  out["n_iter"] = to_numpy(std::move(result.n_iter));
  return out;
}

}  // namespace

void bind_path(nb::module_& m) {
  m.def("solve_path", &solve, nb::arg("design"), nb::arg("family"), nb::arg("y"), nb::arg("w"), nb::arg("offset"),
        nb::arg("moments"), nb::arg("penalty"), nb::arg("l1_ratio"), nb::arg("intercept"),
        nb::arg("start"), nb::arg("reference"), nb::arg("lambdas"), nb::arg("tol"), nb::arg("max_iter"),
        nb::arg("mode"));
}

}  // namespace bridle_bind
