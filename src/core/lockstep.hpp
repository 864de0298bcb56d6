// Solving for one sequence of lambdas: one problem, or several that read the same matrix and share its columns.
#pragma once

#include <vector>

#include "gram_path.hpp"
#include "solver.hpp"

namespace bridle {

// One problem's way down the lambdas.
class Walk {
 public:
  Walk(const Problem& problem, const double* lambdas, index_t count, const Settings& settings);
  // Goes on from where a path in the space of covariances had to end: results so far, and the next lambda's number.
  void take_over(const GramPath& path, PathResult so_far, index_t next);
  // Makes for the next lambda that was asked for; false at the end.
  bool next();
  // Goes on until slopes are needed (true), or that lambda is recorded, or the caller has interrupted (false).
  bool advance();
  bool interrupted() const { return solver_.status() == Status::interrupted; }
  Solver& solver() { return solver_; }
  PathResult& result() { return result_; }

 private:
  const double* lambdas_;
  const index_t count_;
  const double tol_;
  Solver solver_;
  PathResult result_;
  index_t at_ = -1;      // lambda that is made for
  double from_;          // lambda that was reached
  double ratio_ = 1.0;   // of the last lambda that was asked for to this one
  int between_ = 0, step_ = 0;  // lambdas that are only passed on the way there, and which one is solved
};

// All problems (each with weights of its own) at each lambda before the next, so that a column that several of them
// need is read once. Solvers work on `threads` threads; the answer doesn't depend on their number, and results are
// those of problems solved one by one, to the tolerance.
//
// lambdas (count,) descend. Returns converged, interrupted or out_of_memory; what became of each lambda is in results.
Status solve_paths(const std::vector<Problem>& problems, const double* lambdas, index_t count, const Settings& settings,
                   int threads, std::vector<PathResult>& results);

// One problem alone.
Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result);

}  // namespace bridle
