// The quadratic model of one predictor, or several that don't meet in the curvature, without its matrix: columns of
// A = sqrt(W) X~, centred under W, and a residual r of each predictor, so that slopes are A'r and a move of the coefficients
// takes A times it away. Where more coefficients than rows aren't 0, that
// is cheaper than X~'WX~ = A'A.
#pragma once

#include <vector>

#include "columns.hpp"

namespace bridle {

class BlockColumns {
 public:
  void reset(const double* weights, index_t n);  // forget everything; weights (n,) of the model
  bool empty() const { return root_.empty(); }
  void extend(const Columns& x, const index_t* list, index_t count);  // by list[size()..count)
  void keep(const std::vector<index_t>& places);                      // places[0] < places[1] < ...
  void start(const double* residual, index_t predictors);  // minus the loss's gradient in eta, (n, K), where it starts

  index_t rows() const { return static_cast<index_t>(root_.size()); }
  index_t size() const { return static_cast<index_t>(list_.size()); }
  index_t feature(index_t position) const { return list_[position]; }
  double shift(index_t position) const { return kept_[list_[position]].shift; }    // mean of the raw column under W
  double square(index_t position) const { return kept_[list_[position]].square; }  // of A's column
  const double* const* columns(index_t position) const { return columns_.data() + position; }
  double* residual(index_t predictor = 0) { return residual_.data() + predictor * rows(); }
  // Products by the entries that are stored, of columns at some positions: out (n,) = A v, and out (count,) = A'u
  bool sparse() const { return x_ && x_->design.sparse(); }
  void times(const std::vector<index_t>& positions, const double* v, std::vector<double>& out) const;
  void dots(const std::vector<index_t>& positions, const std::vector<double>& u, double* out) const;

 private:
  struct Kept {
    std::vector<double> column;
    double shift = 0.0, square = 0.0;
  };
  void make(const std::vector<index_t>& list);  // columns of kept_
  const Columns* x_ = nullptr;
  mutable std::vector<index_t> features_;
  mutable std::vector<double> held_;
  std::vector<double> root_, share_, residual_;  // (n,) sqrt(w), w / sum(w); (n, K) r
  std::vector<index_t> list_;
  std::vector<const double*> columns_;
  std::vector<Kept> kept_;  // (p,) those that were asked for since the last reset
  index_t made_ = 0;        // how many of them there are
};

// out (count,) = x_c'v, and v += sum_c coef_c x_c, for columns x_c (n,)
void column_dots(const double* const* columns, index_t count, const double* v, index_t n, double* out);
void column_add(const double* const* columns, index_t count, const double* coef, double* v, index_t n);

}  // namespace bridle
