#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "block_problem.hpp"
#include "moments.hpp"
#include "results.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

using Columns = nb::ndarray<const double, nb::f_contig, nb::device::cpu>;  // (n,) or (n, K) by columns
using Index = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

bridle::Shape shape_of(const std::string& kind) {
  if (kind == "mcp" || kind == "group_mcp") return bridle::Shape::mcp;
  if (kind == "scad" || kind == "group_scad") return bridle::Shape::scad;
  if (kind == "elastic_net" || kind == "group_lasso" || kind == "sparse_group_lasso") return bridle::Shape::lasso;
  throw nb::value_error("the core has no such penalty");
}

void check(bool right, const char* what) {
  if (!right) throw nb::value_error(what);
}

void check_groups(const Index& starts, const Index& features, index_t p) {
  check(starts.shape(0) > 0 && starts.data()[0] == 0, "starts of groups begin with 0");
  const auto count = static_cast<index_t>(features.shape(0));
  for (size_t g = 1; g < starts.shape(0); ++g)
    check(starts.data()[g] >= starts.data()[g - 1] && starts.data()[g] <= count, "starts of groups ascend");
  check(starts.data()[starts.shape(0) - 1] == count, "starts of groups end with their features");
  for (index_t i = 0; i < count; ++i)
    check(features.data()[i] >= 0 && features.data()[i] < p, "a group has a feature that X hasn't");
}

nb::dict solve(const BoundDesign& x, const bridle::Loss& loss, Columns y, Columns offset, Vector w, Vector centre,
               Vector scale, const std::pair<std::string, double>& penalty, const std::pair<Index, Index>& groups,
               Vector factor, bool joint, Vector lower, Vector upper, double l1_ratio, double l1_share, bool intercept,
               Vector start, double reference, Vector lambdas, double tol, index_t max_iter, const bridle::Summary* summary) {
  const index_t n = x.view->rows(), p = x.view->columns(), predictors = loss.responses();
  check(static_cast<index_t>(y.shape(0)) == n && static_cast<index_t>(w.shape(0)) == n, "y and w need a row for each of X");
  check(static_cast<index_t>(offset.size()) == n * predictors, "offset needs a number for each predictor of each row");
  check(static_cast<index_t>(start.shape(0)) == predictors, "start needs a number for each predictor");
  for (Vector* v : {&centre, &scale, &factor, &lower, &upper})
    check(static_cast<index_t>(v->shape(0)) == p, "a vector has not one number for each feature");
  check_groups(groups.first, groups.second, p);
  check(!summary || (summary->p == p && predictors == 1 && loss.quadratic()), "moments are those of another problem");

  bridle::BlockProblem problem;
  problem.design = x.view.get();
  problem.summary = summary;
  problem.loss = &loss;
  problem.y = y.data();
  problem.w = w.data();
  problem.offset = offset.data();
  problem.centre = centre.data();
  problem.scale = scale.data();
  problem.shape = shape_of(penalty.first);
  problem.gamma = penalty.second;
  problem.groups = static_cast<index_t>(groups.first.shape(0)) - 1;
  problem.starts = groups.first.data();
  problem.features = groups.second.data();
  problem.factor = factor.data();
  problem.lower = lower.data();
  problem.upper = upper.data();
  problem.joint = joint;
  problem.l1_ratio = l1_ratio;
  problem.l1_share = l1_share;
  problem.intercept = intercept;
  problem.start = start.data();
  problem.reference = reference;
  SignalCheck signals;
  bridle::Settings settings;
  settings.tol = tol;
  settings.max_iter = max_iter;
  settings.interrupted = &SignalCheck::ask;
  settings.context = &signals;

  bridle::PathResult result;
  bridle::Status status;
  double slope = 0.0;
  {
    nb::gil_scoped_release release;
    const auto count = static_cast<index_t>(lambdas.shape(0));
    status = bridle::solve_blocks(problem, lambdas.data(), count, settings, result, slope);
  }
  if (signals.raised) throw nb::python_error();
  if (status == bridle::Status::out_of_memory) throw std::bad_alloc();
  std::vector<double> intercepts = std::move(result.intercept);
  const std::vector<size_t> shape{lambdas.shape(0), static_cast<size_t>(predictors)};
  nb::dict out = to_dict(std::move(result));
  out["intercept"] = to_numpy(std::move(intercepts), shape);
  out["slope"] = slope;
  return out;
}

}  // namespace

void bind_blocks(nb::module_& m) {
  m.def("solve_blocks", &solve, nb::arg("design"), nb::arg("loss"), nb::arg("y").noconvert(),
        nb::arg("offset").noconvert(), nb::arg("w").noconvert(), nb::arg("centre").noconvert(),
        nb::arg("scale").noconvert(), nb::arg("penalty"), nb::arg("groups"), nb::arg("factor").noconvert(),
        nb::arg("joint"), nb::arg("lower").noconvert(), nb::arg("upper").noconvert(), nb::arg("l1_ratio"),
        nb::arg("l1_share"), nb::arg("intercept"), nb::arg("start").noconvert(), nb::arg("reference"),
        nb::arg("lambdas").noconvert(), nb::arg("tol"), nb::arg("max_iter"), nb::arg("summary") = nb::none());
}

}  // namespace bridle_bind
