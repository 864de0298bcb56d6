// Slopes of the features outside the working set, known as late as they have to be.
//
// A slope x~_j'r is bounded by older ones: whatever the numbers q are,
//
//     r = sum_k q_k r_k + rest   =>   |x~_j'r - sum_k q_k x~_j'r_k| <= |x~_j| |rest|,
//
// in the norms of the weights, |x~_j|^2 = x~_j'W x~_j and |rest|^2 = rest'W^-1 rest. A feature whose bound stays below
// its threshold can neither break its optimality condition nor limit the dual point, so its column isn't read, and the
// certificate is the same. That asks nothing of the loss but its residual. Bounds allow for rounding.
//
// References are vectors with which every column was read: the null model's residual and the latest few. Versions are
// the residuals of the last checks, with which some columns were read. Rows without weight count nowhere.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "columns.hpp"
#include "working_set.hpp"

namespace bridle {

class Screen {
 public:
  Screen(const Problem& problem, const Columns& x);

  // Whether nothing is known of slopes but by reading.
  bool blind() const { return count_ == 0; }
  // From now on slopes are asked for at this residual (n,), which has to stay where it is until the next call.
  void at(const double* residual);
  // Features outside whose slope, give or take `reach`, may exceed the threshold of the L1 part. Estimates of all
  // others, and of these, go to work.outside.
  std::vector<index_t> doubtful(WorkingSet& work, double lam, double reach);
  // Takes raw products x_j'r of some columns, list.size() of them, and puts their slopes to work.outside.
  void know(const std::vector<index_t>& list, const double* products, WorkingSet& work);
  // The same for all columns, products (p,): the residual becomes a reference.
  void know_all(const double* products, WorkingSet& work);
  // Whether reading all columns costs little more than reading these.
  bool nearly_all(const std::vector<index_t>& list) const;

 private:
  static constexpr int kReferences = 4;  // the first stays, the others make room in turn
  static constexpr int kVersions = 4;

  // Coefficients of the residual in a few vectors, what they leave, and the size of the sum that rounding goes with.
  struct Fit {
    std::array<double, kReferences> q{};
    double rest = 0.0, size = 0.0;
  };
  using Whitened = std::vector<double>;  // (n,) a residual times W^-1/2
  Whitened whiten(const double* residual) const;
  const Whitened& now();
  Fit fit(const std::vector<const Whitened*>& basis);
  int next_place();
  void refer(const double* residual, const double* slopes);  // (n,), (p,)
  double threshold_share(index_t j) const { return in_.l1_ratio * in_.factor[j]; }

  const Problem& in_;
  const Columns& x_;
  const double* residual_ = nullptr;
  Whitened now_;                                     // the residual, once it was needed
  double now_size_ = 0.0;                            // |r| in the norm of W^-1
  double rounding_;                                  // relative error of an inner product
  std::vector<double> root_;                         // (n,) w^-1/2, 0 where the weight is
  std::vector<double> length_, raw_length_;          // (p,) |x~_j|; the same before centring: rounding goes with it
  std::array<std::vector<double>, kReferences> slopes_;  // (p,) at each reference
  std::array<Whitened, kReferences> references_;
  int count_ = 0, newest_ = 0;                       // references there are; place of the last
  std::array<Whitened, kVersions> versions_;
  std::int32_t version_ = -1;                        // number of the present one; it lives at version_ % kVersions
  std::vector<std::int32_t> read_at_;                // (p,) version with which a column was last read; -1: none
  std::vector<double> known_;                        // (p,) its slope then
  double entries_ = 0.0;                             // of the matrix, as far as they are stored
};

}  // namespace bridle
