#include "moments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "blas.hpp"
#include "packed_columns.hpp"

namespace bridle {
namespace {

constexpr index_t kPanelBytes = 8 << 20;  // of a block of rows: in the last cache level, while its products are made
constexpr index_t kFewestRows = 216, kMostRows = 4096;  // a cell's, of random cells, rarely come to 256, the latter are of ten cells
constexpr index_t kSampleRuns = 8, kSampleRows = 64;    // rows that make the provisional centre

// Rows of a block, cell by cell.
struct Block {
  std::vector<double> root, y;      // (rows,) of the weights; root y; in the block's order
  std::vector<std::int32_t> order;  // (rows,) by cell, from 0
  std::vector<index_t> starts;      // (cells + 1,)
};

void sort_by_cell(const MomentRows& rows, index_t from, index_t to, Block& block) {
  const index_t size = to - from;
  block.starts.assign(rows.cells + 1, 0);
  block.order.resize(size);
  for (index_t i = from; i < to; ++i) ++block.starts[(rows.cell ? rows.cell[i] : 0) + 1];
  for (index_t c = 0; c < rows.cells; ++c) block.starts[c + 1] += block.starts[c];
  std::vector<index_t> next(block.starts.begin(), block.starts.end() - 1);
  for (index_t i = from; i < to; ++i) block.order[next[rows.cell ? rows.cell[i] : 0]++] = static_cast<std::int32_t>(i - from);
  block.root.resize(size);
  block.y.resize(size);
  for (index_t i = 0; i < size; ++i) {
    block.root[i] = std::sqrt(rows.w[from + block.order[i]]);
    block.y[i] = block.root[i] * rows.y[from + block.order[i]];
  }
}

double rounding_of(index_t rows) {
  // Sums run over blocks of some hundred rows, then over blocks; errors of random sign add up as square roots.
  return 0x1p-53 * 2.0 * (16.0 + std::sqrt(static_cast<double>(rows) / 256.0));
}

}  // namespace

void Moments::add(const MomentRows& rows, index_t from, index_t to) {
  const index_t q = p_ + 2;
  const index_t most = std::min({kPanelBytes / (8 * q), kMostRows, cells_ * kFewestRows});
  const index_t length = std::max(kFewestRows, most);
  const std::vector<double> ones(p_, 1.0);
  Block block;
  PackedColumns packed;
  for (index_t start = from; start < to; start += length) {
    const index_t end = std::min(to, start + length);
    sort_by_cell(rows, start, end, block);
    packed.resize(end - start, q);
    const PanelRows which{start, cells_ > 1 ? block.order.data() : nullptr, end - start, block.root.data()};
    packed.take(*rows.design, which, nullptr, p_, rows.centre, ones.data());
    packed.set(p_, block.y.data());
    packed.set(p_ + 1, block.root.data());
    for (index_t c = 0; c < cells_; ++c) {
      rows_[c] += block.starts[c + 1] - block.starts[c];
      packed.add(block.starts[c], block.starts[c + 1], 0, sums_.data() + c * q * q, q);
    }
  }
}

void Moments::add(const Moments& other) {
  for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += other.sums_[i];
  for (index_t c = 0; c < cells_; ++c) rows_[c] += other.rows_[c];
}

index_t Moments::sum(const std::int32_t* which, index_t count, double* out) const {
  const index_t q = p_ + 2;
  std::fill_n(out, q * q, 0.0);
  index_t rows = 0;
  for (index_t i = 0; i < count; ++i) {
    const double* from = cell(which[i]);
    for (index_t k = 0; k < q; ++k) simd::axpy(1.0, from + k * q, out + k * q, k + 1);
    rows += rows_[which[i]];
  }
  return rows;
}

void provisional_centre(const Design& design, double* out) {
  const DenseView view = *design.dense();
  const index_t n = design.rows(), p = design.columns();
  const index_t length = std::min(kSampleRows, n), runs = n <= kSampleRuns * kSampleRows ? 1 : kSampleRuns;
  const index_t each = runs == 1 ? n : length;
  const auto at = [&](index_t i, index_t j) {
    const index_t place = i * view.row_stride + j * view.column_stride;
    return view.single ? static_cast<double>(static_cast<const float*>(view.data)[place])
                       : static_cast<const double*>(view.data)[place];
  };
  std::fill_n(out, p, 0.0);
  for (index_t r = 0; r < runs; ++r) {  // rows before columns where rows are contiguous, and the other way round
    const index_t from = r * ((n - each) / std::max<index_t>(runs - 1, 1));
    const bool by_columns = view.row_stride == 1;
    for (index_t a = 0; a < (by_columns ? p : each); ++a)
      for (index_t b = 0; b < (by_columns ? each : p); ++b) {
        const index_t i = from + (by_columns ? b : a), j = by_columns ? a : b;
        out[j] += at(i, j) - at(0, j);
      }
  }
  for (index_t j = 0; j < p; ++j) out[j] = at(0, j) + out[j] / static_cast<double>(runs * each);
}

Summary::Summary(const double* moments, index_t columns, const double* about, double from, index_t rows)
    : p(columns), start(from), mean(p), centre(about, about + p), covariance(p * p), slope(p), rms(p) {
  const index_t q = p + 2;
  const double* last = moments + (p + 1) * q;  // sums of z, and the weight
  const double* target = moments + p * q;
  weight = last[p + 1];
  y_mean = last[p] / weight;
  y_rms = std::sqrt(target[p] / weight);
  y_variance = std::max(0.0, target[p] / weight - y_mean * y_mean);
  for (index_t j = 0; j < p; ++j) {
    const double moved = last[j] / weight;
    mean[j] = centre[j] + moved;
    slope[j] = target[j] / weight - moved * y_mean;
    rms[j] = std::sqrt(moments[j * q + j] / weight);
    double* to = covariance.data() + j * p;
    for (index_t i = 0; i <= j; ++i) to[i] = moments[j * q + i] / weight - last[i] / weight * moved;
    to[j] = std::isfinite(moments[j * q + j]) ? std::max(0.0, to[j]) : std::numeric_limits<double>::quiet_NaN();
  }
  for (index_t j = 0; j < p; ++j)
    for (index_t i = 0; i < j; ++i) covariance[i * p + j] = covariance[j * p + i];
  rounding = rounding_of(rows);
}

double Summary::cancellation() const {
  double worst = y_variance > 0.0 ? y_rms * y_rms / y_variance : std::numeric_limits<double>::infinity();
  for (index_t j = 0; j < p; ++j) {
    const double variance = covariance[j * p + j];
    if (rms[j] == 0.0) continue;  // constant, exactly
    worst = std::max(worst, variance > 0.0 ? rms[j] * rms[j] / variance : std::numeric_limits<double>::infinity());
  }
  return worst;
}

HeldOut held_out_error(std::vector<double>& moments, index_t rows, const Summary& fitted, bool intercept, double* coef,
                       index_t count) {
  const index_t p = fitted.p, q = p + 2;
  for (index_t j = 0; j < q; ++j)
    for (index_t i = 0; i < j; ++i) moments[i * q + j] = moments[j * q + i];
  std::vector<double> image(p * count);  // products of the moments with the coefficients
  char plain = 'N';
  int size = static_cast<int>(p), ld = static_cast<int>(q), columns = static_cast<int>(count);
  double one = 1.0, zero = 0.0;
  blas().dgemm(&plain, &plain, &size, &columns, &size, &one, moments.data(), &ld, coef, &size, &zero, image.data(),
               &size);
  const double *target = moments.data() + p * q, *sums = moments.data() + (p + 1) * q;
  HeldOut out;
  out.weight = sums[p + 1];
  for (index_t l = 0; l < count; ++l) {
    const double* b = coef + l * p;
    double level = intercept ? fitted.y_mean : -fitted.start;  // of predictions at the centre, counted from start
    double length = std::sqrt(target[p] / out.weight), cross = 0.0, total = 0.0, squares = 0.0;
    for (index_t j = 0; j < p; ++j) {
      if (b[j] == 0.0) continue;
      level += b[j] * (intercept ? fitted.centre[j] - fitted.mean[j] : fitted.centre[j]);
      cross += b[j] * target[j];
      total += b[j] * sums[j];
      squares += b[j] * image[l * p + j];
      length += std::abs(b[j]) * std::sqrt(moments[j * q + j] / out.weight);
    }
    const double error = target[p] - 2.0 * cross + squares - 2.0 * level * (sums[p] - total) + level * level * out.weight;
    out.loss.push_back(std::max(0.0, error / out.weight));
    length += std::abs(level);
    out.rounding = std::max(out.rounding, rounding_of(rows) * length * length / out.loss.back());
  }
  return out;
}

}  // namespace bridle
