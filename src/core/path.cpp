#include "path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "solver.hpp"

namespace bridle {

Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result) {
  try {
    Solver solver(problem, settings);
    result.starts.push_back(0);
    for (index_t l = 0; l < count; ++l) {
      const Status status = solver.solve(lambdas[l]);
      if (status == Status::interrupted) return status;
      solver.record(status, result);
    }
    return Status::converged;
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
