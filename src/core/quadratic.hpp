// The quadratic model of the loss on the working set, 1/2 d'Hd - c'd for a move d, in two representations.
//
// Descent (descent.hpp) is templated over them. Both give the slope c - Hd of a coordinate at the current move, the
// curvature H_kk, and take a move of one coordinate.
#pragma once

#include <vector>

#include "columns.hpp"
#include "gram.hpp"

namespace bridle {

// H is at hand: a slope costs nothing, a move k operations.
class GramQuadratic {
 public:
  GramQuadratic(const Gram& gram, std::vector<double>& slope) : gram_(gram), slope_(slope) {}
  index_t size() const { return gram_.size(); }
  double slope(index_t k) const { return slope_[k]; }
  double curvature(index_t k) const { return gram_.at(k, k); }
  void move(index_t k, double delta) { simd::axpy(-delta, gram_.column(k), slope_.data(), gram_.size()); }
  // Several moves at once; deltas (k,), most of them 0
  void move_all(const std::vector<double>& deltas);
  const Gram& gram() const { return gram_; }

 private:
  const Gram& gram_;
  std::vector<double>& slope_;  // (k,) c - Hd
};

// H is never formed, for working sets whose Gram matrix would not fit: a slope and a move cost one column each.
// The residual is kept as residual - offset * weights, so that centring touches no zero of a sparse column.
class ColumnQuadratic {
 public:
  // residual, weights (n,): minus the loss's gradient and its curvature in eta; sum of residual 0 with an intercept.
  // rows: of the listed columns, or null. Where rows act on each other, products take the curvature that is given as
  // coupling, and moves the weights, which it doesn't exceed.
  ColumnQuadratic(const Columns& x, const std::vector<index_t>& list, const double* residual, const double* weights,
                  const PackedRows* rows, const Curvature* coupling = nullptr);
  void measure();  // curvatures, which descent asks for and products don't
  index_t size() const { return static_cast<index_t>(list_.size()); }
  double slope(index_t k) const;
  double curvature(index_t k) const { return curvature_[k]; }
  void move(index_t k, double delta);
  double shift(index_t k) const { return shift_[k]; }
  // Slopes of some coordinates; list, out (count,)
  void slopes(const std::vector<index_t>& list, double* out) const;
  // Hd restricted to a list: what slopes there lose by the moves deltas; list, deltas, out (count,)
  void product(const std::vector<index_t>& list, const double* deltas, double* out);
  void move_all(const std::vector<index_t>& list, const double* deltas);

 private:
  // Sum of columns, W-centred but for `level`, which is to be subtracted from all: image_ (n,)
  double image(const std::vector<index_t>& list, const double* deltas);

  const Columns& x_;
  const std::vector<index_t>& list_;
  const double* weights_;
  const PackedRows* rows_;
  const Curvature* coupling_;
  std::vector<double> residual_, shift_, curvature_, image_, bent_, step_, change_;
  double total_ = 0.0, offset_ = 0.0;
};

}  // namespace bridle
