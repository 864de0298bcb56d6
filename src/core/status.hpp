// What became of one value of lambda. Kernels return these; nothing here throws.
#pragma once

namespace bridle {

enum class Status : int {
  converged = 0,    // the duality gap is within the tolerance
  max_iter = 1,     // the iteration limit came first
  separated = 2,    // lam = 0 and a plane separates the classes: the maximum likelihood is not attained
  stalled = 3,      // rounding stops further progress above the tolerance
  interrupted = 4,  // the caller asked to stop
  out_of_memory = 5,
  rounding = 6,  // optimal for a covariance matrix whose rounding may hide more than the tolerance on the rows
};

}  // namespace bridle
