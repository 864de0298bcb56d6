#include "path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "solver.hpp"

namespace bridle {
namespace {

constexpr double kReach = 4.0;     // largest ratio of neighbouring lambdas that is crossed in one go
constexpr double kPassing = 1e-3;  // tolerance at lambdas that are only passed on the way

}  // namespace

Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result) {
  try {
    Solver solver(problem, settings);
    result.starts.push_back(0);
    double from = solver.first_lambda();
    for (index_t l = 0; l < count; ++l) {
      // A cold start meets signs that change again and again; a few lambdas in between keep most of them right.
      solver.new_budget();
      const double ratio = lambdas[l] > 0.0 ? from / lambdas[l] : 1.0;
      const int between = ratio > kReach ? static_cast<int>(std::log(ratio) / std::log(kReach)) : 0;
      for (int step = 1; step <= between; ++step) {
        const double lam = from * std::pow(ratio, -static_cast<double>(step) / (between + 1));
        if (solver.solve(lam, std::max(kPassing, settings.tol)) == Status::interrupted) return Status::interrupted;
      }
      from = lambdas[l];
      const Status status = solver.solve(lambdas[l], settings.tol);
      if (status == Status::interrupted) return status;
      solver.record(status, result);
    }
    return Status::converged;
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
