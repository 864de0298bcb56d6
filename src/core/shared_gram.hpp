// One weighted Gram matrix for many problems on the same rows: folds of a cross-validation.
//
// A model's matrix decides how far a step goes, never where the path ends: the certificate is about each problem's own
// rows. Folds share nine tenths of these, so that the mean of their weights serves them all.
#pragma once

#include <vector>

#include "gram.hpp"

namespace bridle {

class SharedGram {
 public:
  SharedGram(const Design& design, bool intercept);
  unsigned version() const { return version_; }  // from 1 on, of the weights
  // Forget everything and take the mean of these weights, (n,) each.
  void renew(const std::vector<const double*>& weights);
  void extend(const std::vector<index_t>& columns);  // take these in, where they aren't there
  // The matrix of these columns over their scales, (p,), which all have to be there.
  void copy(const std::vector<index_t>& columns, const double* scale, Gram& to) const;

 private:
  const std::vector<double> zeros_, ones_;  // (p,)
  const Columns x_;                         // as they are
  Gram gram_;
  std::vector<double> weights_;             // (n,)
  std::vector<index_t> list_, place_;       // columns that are there; (p,) the place of each, or -1
  unsigned version_ = 0;
};

}  // namespace bridle
