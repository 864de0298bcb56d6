// A path with blocks: in the space of the covariance matrix while that has the digits, else on the rows.
#include <new>

#include "block_gram_path.hpp"
#include "block_solver.hpp"

namespace bridle {
namespace {

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
    for (; l < count; ++l) {
      if (solver.solve(lambdas[l]) == Status::interrupted) return Status::interrupted;
      solver.record(result);
    }
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
  return Status::converged;
}

}  // namespace bridle
