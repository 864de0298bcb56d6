// Minimising the quadratic model plus penalty over blocks: cyclic block descent on a Gram matrix, and Newton steps on all
// coefficients that aren't 0 in between.
//
// Descent finds which blocks are 0 quickly and digits slowly. Away from 0 norms are smooth, so that with the zeros held
// Newton's method ends it; a step that would carry a coefficient through a kink ends there.
#pragma once

#include <vector>

#include "block_columns.hpp"
#include "block_penalty.hpp"
#include "block_rows.hpp"
#include "descent.hpp"

namespace bridle {

// Coefficients of positions [from, from + size) of the working set for predictors [first, last).
struct Block {
  index_t from = 0, size = 1, first = 0, last = 1;
  BlockTerm term;
  index_t cells() const { return size * (last - first); }
};

// A symmetric matrix by columns as it lies, leading dimension ld, or what takes its place; version changes whenever entries
// that were there do.
struct ModelMatrix {
  const double* data;
  index_t size, ld;
  unsigned version;
  BlockColumns* columns = nullptr;  // no matrix
  const double* column(index_t k) const { return data + k * ld; }
  double at(index_t i, index_t k) const { return data[k * ld + i]; }
};

// The model of a move D (m, K): 1/2 tr(D'H D) - tr(S'D), H (m, m).
class BlockDescent {
 public:
  // From beta (m, K), by columns, and the slopes S there to the minimum; both follow (without a matrix the residual does, and
  // slopes are left anyhow). sweeps > 0: no more than so many, and no Newton steps.
  void minimise(const ModelMatrix& matrix, index_t predictors, const std::vector<Block>& blocks,
                const Precision& precision, Budget& budget, double* beta, double* slope, index_t sweeps = 0);

 private:
  struct Cell {
    index_t position, predictor, block;
  };
  struct Shape {  // of a block: H_gg = Q diag(values) Q', symmetric matrices by columns
    index_t size = 0;
    std::vector<double> matrix, vectors, values;
  };
  void decompose();
  void descend();
  void tidy();
  void forget(const Block& block);
  bool sweep();
  bool update(const Block& block);
  void update_norm(const Block& block);
  void update_sparse(const Block& block);
  void gather(const Block& block, const double* from, double* to) const;
  void slopes(const Block& block, double* to) const;
  void move(const Block& block, double* delta);  // slopes follow a move of one block
  double curvature(index_t position) const {
    return matrix_.columns ? matrix_.columns->square(position) : matrix_.at(position, position);
  }
  // Of what is known of a block from one lambda to the next.
  index_t key(const Block& block) const { return matrix_.columns ? matrix_.columns->feature(block.from) : block.from; }
  const Shape& shape(const Block& block) const { return known_[key(block)]; }

  void collect();                 // cells_ that are free to move on both sides
  bool newton();                  // to the minimum over these; false where the model isn't convex there
  void newton_gradient();
  void newton_matrix();
  bool solve_system();
  bool solve_by_old_factor();
  bool solve_by_predictors();
  bool solve_by_entries();
  void add_curvature(const std::vector<double>& along, std::vector<double>& out) const;  // the penalty's, times along
  double crossing(const Curve& curve) const;
  bool end_at_zero(double promised);
  bool lowers(double t, index_t blocking, double promised);
  bool take_step(double promised, bool& blocked);
  double landing(index_t a, double t, bool blocked) const;
  bool kink(const Cell& cell) const;
  index_t place(const Cell& cell) const { return cell.predictor * size_ + cell.position; }
  double room(double most, index_t& blocking) const;
  void spread_step(index_t first, index_t last, const double* share, std::vector<double>& to) const;
  double penalty_of_active();

  ModelMatrix matrix_{nullptr, 0, 0, 0};
  const std::vector<Block>* blocks_ = nullptr;
  const Precision* precision_ = nullptr;
  Budget* budget_ = nullptr;
  double *beta_ = nullptr, *slope_ = nullptr;
  index_t size_ = 0, predictors_ = 1;

  std::vector<Shape> known_;  // by key
  unsigned version_ = 0;

  std::vector<double> now_, next_, pull_, rotated_, bends_;  // of one block
  double off_ = 0.0, gain_ = 0.0;                            // of its last update
  double least_ = 0.0;  // gain that counts where nothing holds a block
  bool loud_ = false;   // whether a sweep gained what counts
  int quiet_ = 0;       // sweeps in a row that didn't
  std::vector<Cell> cells_, solved_, factored_;
  std::vector<double> factor_;  // Cholesky, upper, of some Hessian of the cells factored_
  std::vector<double> gradient_, step_, hessian_, change_, trial_;
  std::vector<Curve> curves_;          // of the penalty, on the cells
  std::vector<double> directions_;     // (cells,) b / |b|
  RowNewton rows_;
  RowCells own_;                       // of the cells, where the model has no matrix
  bool by_rows_ = false;               // whether step_ was found together with its image in the rows
};

}  // namespace bridle
