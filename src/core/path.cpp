#include "path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "gram_path.hpp"
#include "solver.hpp"

namespace bridle {
namespace {

constexpr double kReach = 4.0;     // largest ratio of neighbouring lambdas that is crossed in one go
constexpr double kPassing = 1e-3;  // tolerance at lambdas that are only passed on the way

// lambdas[first..count) on the rows, each from the one before; `from` is where the first is reached from.
Status solve_on_rows(Solver& solver, double from, const double* lambdas, index_t first, index_t count, double tol,
                     PathResult& result) {
  for (index_t l = first; l < count; ++l) {
    // A cold start meets signs that change again and again; a few lambdas in between keep most of them right.
    solver.new_budget();
    const double ratio = lambdas[l] > 0.0 ? from / lambdas[l] : 1.0;
    const int between = ratio > kReach ? static_cast<int>(std::log(ratio) / std::log(kReach)) : 0;
    for (int step = 1; step <= between; ++step) {
      const double lam = from * std::pow(ratio, -static_cast<double>(step) / (between + 1));
      if (solver.solve(lam, std::max(kPassing, tol)) == Status::interrupted) return Status::interrupted;
    }
    from = lambdas[l];
    const Status status = solver.solve(lambdas[l], tol);
    if (status == Status::interrupted) return status;
    solver.record(status, result);
  }
  return Status::converged;
}

}  // namespace

Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result) {
  try {
    result.starts.push_back(0);
    if (!problem.summary) {
      Solver solver(problem, settings);
      return solve_on_rows(solver, solver.first_lambda(), lambdas, 0, count, settings.tol, result);
    }
    GramPath path(problem, settings);
    index_t l = 0;
    for (; l < count && lambdas[l] > 0.0; ++l) {  // at 0 no penalty forgives rounding: refine on the rows
      const Status status = path.solve(lambdas[l]);
      if (status == Status::interrupted) return status;
      if (status == Status::rounding) break;
      path.record(status, result);
    }
    if (l == count) return Status::converged;
    if (!problem.design) return Status::rounding;
    Solver solver(problem, settings);
    solver.resume(lambdas[l], path.features(), path.beta(), path.gram(), path.intercept());
    return solve_on_rows(solver, lambdas[l], lambdas, l, count, settings.tol, result);
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
