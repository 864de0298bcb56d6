#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "callback.hpp"
#include "lockstep.hpp"
#include "moments.hpp"
#include "results.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

// What one problem has of its own: (w, moments, penalty, start, reference, summary), see _core.pyi.
bridle::Problem problem_of(const nb::tuple& own, index_t n, index_t p) {
  const auto vector = [](nb::handle from, index_t size) {
    const Vector v = nb::cast<Vector>(from, false);  // the tuple keeps it alive, unconverted
    if (static_cast<index_t>(v.shape(0)) != size) throw nb::value_error("a vector has the wrong length");
    return v.data();
  };
  if (own.size() != 6) throw nb::value_error("a problem is (w, moments, penalty, start, reference, summary)");
  const nb::tuple moments = nb::cast<nb::tuple>(own[1]), penalty = nb::cast<nb::tuple>(own[2]);
  bridle::Problem problem;
  problem.w = vector(own[0], n);
  problem.centre = vector(moments[0], p);
  problem.scale = vector(moments[1], p);
  problem.mean = vector(moments[2], p);
  problem.deviation = vector(moments[3], p);
  problem.products = vector(moments[4], p);
  problem.factor = vector(penalty[0], p);
  problem.lower = vector(penalty[1], p);
  problem.upper = vector(penalty[2], p);
  problem.start = nb::cast<double>(own[3]);
  problem.reference = nb::cast<double>(own[4]);
  problem.summary = own[5].is_none() ? nullptr : nb::cast<const bridle::Summary*>(own[5]);
  return problem;
}

nb::list solve(const BoundDesign& x, const bridle::Loss& loss, Target y, Vector offset, nb::list problems, double l1_ratio,
               bool intercept, Vector lambdas, double tol, index_t max_iter, int mode, int threads) {
  const index_t n = x.view->rows(), p = x.view->columns();
  if (static_cast<index_t>(offset.shape(0)) != n || y.ndim() == 0 || static_cast<index_t>(y.shape(0)) != n)
    throw nb::value_error("a row vector has the wrong length");
  std::vector<bridle::Problem> all;
  for (nb::handle own : problems) {
    bridle::Problem problem = problem_of(nb::cast<nb::tuple>(own), n, p);
    problem.design = x.view.get();
    problem.loss = &loss;
    problem.y = y.data();
    problem.offset = offset.data();
    problem.l1_ratio = l1_ratio;
    problem.intercept = intercept;
    all.push_back(problem);
  }
  SignalCheck signals;
  bridle::Settings settings;
  settings.tol = tol;
  settings.max_iter = max_iter;
  settings.mode = static_cast<bridle::Mode>(mode);
  settings.interrupted = &SignalCheck::ask;
  settings.context = &signals;

  std::vector<bridle::PathResult> results;
  bridle::Status status;
  {
    nb::gil_scoped_release release;
    const auto count = static_cast<index_t>(lambdas.shape(0));
    status = bridle::solve_paths(all, lambdas.data(), count, settings, threads, results);
  }
  if (signals.raised) throw nb::python_error();
  if (const auto* python = dynamic_cast<const PythonLoss*>(&loss)) python->rethrow();
  if (status == bridle::Status::out_of_memory) throw std::bad_alloc();
  nb::list out;
  for (bridle::PathResult& result : results) out.append(to_dict(std::move(result)));
  return out;
}

std::unique_ptr<bridle::Loss> loss_of(const std::string& family, const std::vector<double>& parameters) {
  auto loss = bridle::make_loss(family, parameters);
  if (!loss) throw nb::value_error("the core has no such family");
  return loss;
}

// What one loss says of some rows, for tests: value, derivatives, saturated, the gap of scaling by s and what the solver
// takes for it, and value and derivatives once more, made together.
nb::tuple probe(const bridle::Loss& loss, Vector y, Vector w, Vector eta, double s) {
  const auto n = static_cast<index_t>(y.shape(0));
  if (w.shape(0) != y.shape(0) || eta.shape(0) != y.shape(0)) throw nb::value_error("lengths differ");
  std::vector<double> residual(n), curvature(n);
  loss.derivatives(y.data(), w.data(), eta.data(), n, residual.data(), curvature.data());
  const double value = loss.value(y.data(), w.data(), eta.data(), n);
  const double saturated = loss.saturated(y.data(), w.data(), n);
  const double gap = loss.scaling_gap(y.data(), w.data(), eta.data(), n, s);
  std::vector<double> slopes(n), bends(n);
  const double together = loss.evaluate(y.data(), w.data(), eta.data(), n, slopes.data(), bends.data());
  const double cost = bridle::scaling_cost(loss, y.data(), w.data(), eta.data(), slopes.data(), bends.data(), n, s);
  return nb::make_tuple(value, to_numpy(std::move(residual)), to_numpy(std::move(curvature)), saturated, gap, cost,
                        nb::make_tuple(together, to_numpy(std::move(slopes)), to_numpy(std::move(bends))));
}

}  // namespace

void bind_path(nb::module_& m) {
  nb::class_<bridle::Loss>(m, "Loss")
      .def("probe", &probe, nb::arg("y"), nb::arg("w"), nb::arg("eta"), nb::arg("s"));
  nb::class_<PythonLoss, bridle::Loss>(m, "PythonLoss").def(nb::init<nb::object>(), nb::arg("ask"));
  m.def("loss", &loss_of, nb::arg("family"), nb::arg("parameters"));
  m.def("solve_paths", &solve, nb::arg("design"), nb::arg("loss"), nb::arg("y"), nb::arg("offset"),
        nb::arg("problems"), nb::arg("l1_ratio"), nb::arg("intercept"), nb::arg("lambdas"), nb::arg("tol"),
        nb::arg("max_iter"), nb::arg("mode"), nb::arg("threads"));
}

}  // namespace bridle_bind
