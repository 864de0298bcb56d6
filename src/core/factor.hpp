// Cholesky factor of the active block H_AA + diag(ridge), grown and shrunk one column at a time.
#pragma once

#include <vector>

#include "gram.hpp"
#include "penalty.hpp"

namespace bridle {

class ActiveFactor {
 public:
  // Make the factor that of `wanted` (positions in the working set), except for columns that depend linearly on
  // those before them: these are `parked`.
  void sync(const Gram& gram, const std::vector<Term>& terms, const std::vector<index_t>& wanted);
  const std::vector<index_t>& members() const { return members_; }  // A, in the factor's order
  const std::vector<index_t>& parked() const { return parked_; }
  // Take one more column in; false if it depends linearly on those that are there.
  bool append(const Gram& gram, const std::vector<Term>& terms, index_t k);
  void remove(index_t place);  // drop members()[place]
  // x = (H_AA + ridge)^-1 x; x (|A|,)
  void solve(double* x) const;
  void solve_lower(double* x, index_t from = 0) const;  // x = L^-1 x, the first `from` being done already
  void solve_upper(double* x) const;                    // x = L'^-1 x
  // Whether sync would start from nothing because entries of H or the ridge changed.
  bool stale(const Gram& gram, const std::vector<Term>& terms) const;

 private:
  double entry(const Gram& gram, const std::vector<Term>& terms, index_t i, index_t k) const {
    return gram.at(i, k) + (i == k ? terms[k].ridge : 0.0);
  }
  bool build(const Gram& gram, const std::vector<Term>& terms, const std::vector<index_t>& wanted);
  void reserve(index_t count);
  double* row(index_t i) { return lower_.data() + i * ld_; }
  const double* row(index_t i) const { return lower_.data() + i * ld_; }

  std::vector<index_t> members_, parked_;
  std::vector<double> lower_;  // L (|A|, |A|) by rows, leading dimension ld_
  std::vector<double> ridge_;  // what was added to the diagonal, by member
  index_t ld_ = 0;
  unsigned version_ = 0;
};

}  // namespace bridle
