// A path with blocks: in the space of the covariance matrix while that has the digits, else on the rows.
#include <algorithm>
#include <cmath>
#include <new>

#include "block_gram_path.hpp"
#include "block_solver.hpp"

namespace bridle {
namespace {

constexpr double kStride = 0.5;   // how far lambda may fall at once
constexpr double kOnTheWay = 1e-4;  // relative gap that suffices there
constexpr double kSmooth = 0.1;   // share of the L1 part below which the penalty is ridge with little else

// With several predictors a long way down is gone in strides, which together cost less than one leap: features enter few at a
// time, and each model holds where the next one starts (one predictor's Newton steps leap as well). Not for concave
// penalties, where the way decides on the optimum.
Status approach(BlockSolver& solver, const BlockProblem& problem, double from, double to, double tol) {
  const bool leaps = problem.loss->responses() == 1 || problem.shape != Shape::lasso || problem.l1_ratio < kSmooth;
  if (leaps || !(to > 0.0)) return Status::converged;
  const double strides = std::ceil(std::log(from / to) / -std::log(kStride));
  for (double k = 1.0; k < strides; ++k) {
    const Status status = solver.solve(from * std::pow(to / from, k / strides), std::max(tol, kOnTheWay));
    if (status != Status::converged) return status;
  }
  return Status::converged;
}

// The number of lambdas that were done; the solver for the rest goes on from there.
Status solve_summarised(const BlockProblem& problem, const double* lambdas, index_t count, const Settings& settings,
                        PathResult& result, double& slope, index_t& done, std::vector<double>& beta, double& intercept) {
  BlockGramPath path(problem, settings);
  slope = path.null_slope();
  for (done = 0; done < count && lambdas[done] > 0.0; ++done) {  // at 0 no penalty forgives rounding
    const Status status = path.solve(lambdas[done]);
    if (status == Status::interrupted) return status;
    if (status == Status::rounding) break;
    path.record(status, result);
  }
  beta = path.beta();
  intercept = path.intercept();
  return Status::converged;
}

}  // namespace

Status solve_blocks(const BlockProblem& problem, const double* lambdas, index_t count, const Settings& settings,
                    PathResult& result, double& slope) {
  try {
    result.starts.push_back(0);
    index_t l = 0;
    std::vector<double> beta;
    double b0 = 0.0;
    if (problem.summary &&
        solve_summarised(problem, lambdas, count, settings, result, slope, l, beta, b0) == Status::interrupted)
      return Status::interrupted;
    if (l == count) return Status::converged;
    BlockSolver solver(problem, settings);
    slope = solver.null_slope();
    if (problem.summary) solver.resume(lambdas[l], beta, b0);
    double last = l > 0 ? lambdas[l - 1] : slope / std::max(problem.l1_ratio, kSmooth);
    for (; l < count; last = lambdas[l++]) {
      if (approach(solver, problem, last, lambdas[l], settings.tol) == Status::interrupted) return Status::interrupted;
      if (solver.solve(lambdas[l], settings.tol) == Status::interrupted) return Status::interrupted;
      solver.record(result);
    }
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
  return Status::converged;
}

}  // namespace bridle
