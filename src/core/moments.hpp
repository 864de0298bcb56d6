// Sums of products of rows: all that a gaussian problem needs to know of them. Rows come in cells (the rows that one fold
// holds out, say), each with its own sums, so that any union of cells is a sum of matrices and X is read once for all.
#pragma once

#include <cstdint>
#include <vector>

#include "design.hpp"

namespace bridle {

// n rows z_i = (x_i - centre, y_i, 1) of length q = p + 2
struct MomentRows {
  const Design* design = nullptr;       // dense, n rows, p columns
  const double* y = nullptr;            // (n,)
  const double* w = nullptr;            // (n,) >= 0
  const double* centre = nullptr;       // (p,) close to the mean, so that centring later cancels next to nothing
  const std::int32_t* cell = nullptr;   // (n,) number of each row's cell; null: all rows are cell 0
  index_t cells = 1;
};

// Upper triangles of sum_i w_i z_i z_i' over the rows of each cell.
class Moments {
 public:
  Moments(index_t columns, index_t cells)
      : p_(columns), cells_(cells), sums_(cells * (columns + 2) * (columns + 2)), rows_(cells) {}
  index_t columns() const { return p_; }       // p
  index_t cells() const { return cells_; }
  index_t rows(index_t cell) const { return rows_[cell]; }
  // (q, q) by columns, the upper triangle filled
  const double* cell(index_t c) const { return sums_.data() + c * (p_ + 2) * (p_ + 2); }

  void add(const MomentRows& rows, index_t from, index_t to);  // rows from <= i < to, a block at a time
  void add(const Moments& other);
  // out (q, q) = the sum of some cells' upper triangles; returns the number of their rows
  index_t sum(const std::int32_t* which, index_t count, double* out) const;

 private:
  index_t p_, cells_;
  std::vector<double> sums_;
  std::vector<index_t> rows_;
};

// A centre for columns: the mean of rows spread over all of them; equal rows give their value exactly. out (p,)
void provisional_centre(const Design& design, double* out);

// What a sum of moments says about its rows, weights rescaled to sum to 1.
struct Summary {
  // moments (q, q) about centre (p,) and start: y is counted from `start`; rows: how many were summed
  Summary(const double* moments, index_t p, const double* centre, double start, index_t rows);

  index_t p;
  double weight;                   // sum of weights
  double start;                    // what y was counted from
  double y_mean, y_variance;       // y_mean of y - start
  double y_rms;                    // sqrt of the mean square of y - start
  std::vector<double> mean;        // (p,)
  std::vector<double> centre;      // (p,) what columns were counted from
  std::vector<double> covariance;  // (p, p)
  std::vector<double> slope;       // (p,) covariance with y
  std::vector<double> rms;         // (p,) sqrt of the mean square about the provisional centre
  double rounding;                 // entry j, k of the covariance is known to this share of rms_j rms_k
  // Largest ratio of a mean square about the provisional centre to the variance: digits that centring has cost.
  double cancellation() const;
};

// Squared error of other rows from their moments.
struct HeldOut {
  double weight = 0.0;
  std::vector<double> loss;  // (L,) weighted mean
  double rounding = 0.0;     // the largest share of it that rounding may have made
};

// moments (q, q) of rows about the centre and start of `fitted`; coef (p, L) on the original scale; without an intercept
// predictions pass through 0. Uses up `moments`.
HeldOut held_out_error(std::vector<double>& moments, index_t rows, const Summary& fitted, bool intercept, double* coef,
                       index_t count);

}  // namespace bridle
