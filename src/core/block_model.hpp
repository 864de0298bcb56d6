// The quadratic model of the loss over the features of the working set, for one linear predictor or several.
//
// Where predictors don't meet in the curvature (one of them, or squared errors) the model's matrix is the Gram matrix of
// the features and serves each predictor. Else it has a row for each coefficient: X~'W_kl X~ for every pair of
// predictors, less what the intercepts take up. Those of a group lie side by side, predictor by predictor.
#pragma once

#include <memory>
#include <vector>

#include "block_columns.hpp"
#include "block_descent.hpp"
#include "gram.hpp"
#include "losses.hpp"

namespace bridle {

// A symmetric (size, size) matrix = V diag(values) V', values ascending.
void eigen(const double* matrix, index_t size, std::vector<double>& vectors, std::vector<double>& values);
// out = matrix^+ v, both (size, size) as eigen gives them; directions without curvature get 0
void solve_eigen(const std::vector<double>& vectors, const std::vector<double>& values, const double* v, double* out);

class BlockModel {
 public:
  // apart: predictors don't meet in the model, whatever they do in the loss
  explicit BlockModel(const Loss& loss, bool apart = false)
      : predictors_(loss.responses()), coupled_(!apart && loss.responses() > 1 && !loss.quadratic()) {}

  bool coupled() const { return coupled_; }
  index_t pairs() const { return predictors_ * (predictors_ + 1) / 2; }
  index_t weights() const { return coupled_ ? pairs() : 1; }  // columns of weights that reset takes
  // Forget everything and take the curvatures (n, weights()) of the loss at some point; of one predictor `coupling` in
  // their place, where rows act on each other.
  void reset(const double* curvatures, index_t n, std::shared_ptr<const Curvature> coupling);
  // Predictors that don't meet, whose rows don't act on each other: from the next reset on there is no matrix.
  void leave_matrix() {
    matrix_free_ = true;
    version_ = gram_.version();
    gram_ = Gram();
  }
  bool matrix_free() const { return matrix_free_; }
  bool empty() const { return coupled_ ? curvatures_.empty() : matrix_free_ ? columns_.empty() : gram_.empty(); }
  index_t features() const { return coupled_ ? features_ : matrix_free_ ? columns_.size() : gram_.size(); }
  // Take in list[features()..): whole groups, whose sizes in order make up `sizes` for all of the list.
  void extend(const Columns& x, const std::vector<index_t>& list, const std::vector<index_t>& sizes);
  // Keep features at places[0] < places[1] < ..., whole groups, whose sizes are then `sizes`.
  void keep(const std::vector<index_t>& places, const std::vector<index_t>& sizes);

  // What the descent sees: the matrix, how many predictors share it, and a block's place there.
  ModelMatrix matrix();
  void start(const double* residual) {  // minus the loss's gradient in eta where the next descent starts
    if (matrix_free_) columns_.start(residual, predictors_);
  }
  index_t predictors() const { return coupled_ ? 1 : predictors_; }
  Block place(const Block& block) const;
  // values (m, K) by columns to the matrix's order, and back
  void enter(std::vector<double>& values) const { reorder(values, false); }
  void leave(std::vector<double>& values) const { reorder(values, true); }

  double curvature(index_t feature, index_t predictor) const;
  // What a move (m, K) of the coefficients moves the intercepts by, for columns as they are; out (K,)
  void intercepts(const Columns& x, const std::vector<index_t>& list, const double* move, double* out) const;

 private:
  index_t cell(index_t feature, index_t predictor) const {
    return from_[feature] * predictors_ + predictor * group_[feature] + feature - from_[feature];
  }
  void settle(const std::vector<index_t>& sizes);
  void reorder(std::vector<double>& values, bool back) const;
  void by_panels(const Columns& x, const index_t* list, index_t from, index_t count);
  void by_columns(const Columns& x, const index_t* list, index_t from, index_t count);
  void put(index_t i, index_t j, index_t k, index_t l, double value);

  index_t predictors_;
  bool coupled_;
  bool matrix_free_ = false;
  Gram gram_;
  BlockColumns columns_;  // in its place
  // Coupled only:
  std::vector<double> curvatures_;          // (n, pairs)
  index_t rows_ = 0, features_ = 0, ld_ = 0;
  std::vector<index_t> from_, group_;       // (m,) first feature, and size, of a feature's group
  std::vector<double> data_;                // (mK, mK)
  std::vector<double> crossed_;             // (mK, K) by rows: x~'W_kl 1
  std::vector<double> vectors_, values_;    // of sum_i W_i (K, K)
  unsigned version_ = 0;
};

}  // namespace bridle
