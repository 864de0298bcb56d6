#include "block_penalty.hpp"

#include <algorithm>
#include <cmath>

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kSecular = 60;    // Newton steps on a norm; a handful is usual
constexpr int kTangents = 100;  // of a concave penalty

double soft(double z, double t) { return z > t ? z - t : (z < -t ? z + t : 0.0); }

double norm(const double* x, index_t count) {
  double total = 0.0;
  for (index_t i = 0; i < count; ++i) total += x[i] * x[i];
  return std::sqrt(total);
}

// r = |u| of the minimiser with rho = l2 |u|: the root of phi(r) = sum_i z_i^2 / ((h_i + ridge) r + l2)^2 = 1. 1/sqrt(phi)
// is nearly linear in r, so that Newton's method on it takes few steps; a bracket guards it.
double secular(const double* h, const double* z, index_t count, double ridge, double l2) {
  const double size = norm(z, count);
  if (size <= l2) return 0.0;
  double largest = 0.0;
  for (index_t i = 0; i < count; ++i) largest = std::max(largest, h[i] + ridge);
  double low = (size - l2) / largest, high = kInfinity, r = low;
  for (int step = 0; step < kSecular; ++step) {
    double phi = 0.0, slope = 0.0;
    for (index_t i = 0; i < count; ++i) {
      const double a = h[i] + ridge, d = 1.0 / (a * r + l2), q = z[i] * z[i] * d * d;
      phi += q;
      slope += q * a * d;
    }
    const double root = std::sqrt(phi);
    (root > 1.0 ? low : high) = r;
    if (std::abs(root - 1.0) <= 4e-16 || slope <= 0.0) break;
    double next = r + phi * (root - 1.0) / slope;
    if (!(next > low && next < high)) next = std::isinf(high) ? 2.0 * r : 0.5 * (low + high);
    if (std::abs(next - r) <= 1e-16 * r) break;
    r = next;
  }
  return r;
}

}  // namespace

double BlockTerm::rho(double r) const {
  if (shape == Shape::lasso || l2 == 0.0) return l2 * r;
  if (shape == Shape::mcp) return r <= gamma * l2 ? l2 * r - 0.5 * r * r / gamma : 0.5 * gamma * l2 * l2;
  if (r <= l2) return l2 * r;
  if (r <= gamma * l2) return (gamma * l2 * r - 0.5 * (r * r + l2 * l2)) / (gamma - 1.0);
  return 0.5 * l2 * l2 * (gamma + 1.0);
}

double BlockTerm::rho_slope(double r) const {
  if (shape == Shape::lasso || l2 == 0.0) return l2;
  if (shape == Shape::mcp) return std::max(0.0, l2 - r / gamma);
  return r <= l2 ? l2 : std::max(0.0, (gamma * l2 - r) / (gamma - 1.0));
}

double BlockTerm::rho_curvature(double r) const {
  if (shape == Shape::lasso || l2 == 0.0 || r >= gamma * l2) return 0.0;
  if (shape == Shape::mcp) return -1.0 / gamma;
  return r < l2 ? 0.0 : -1.0 / (gamma - 1.0);
}

BlockTerm BlockTerm::tangent(double r) const {
  BlockTerm out = *this;
  out.shape = Shape::lasso;
  out.l2 = rho_slope(r);
  return out;
}

double BlockTerm::value(const double* b, index_t count) const {
  double sum = 0.0, squares = 0.0;
  for (index_t i = 0; i < count; ++i) {
    sum += std::abs(b[i]);
    squares += b[i] * b[i];
  }
  return l1 * sum + rho(std::sqrt(squares)) + 0.5 * ridge * squares;
}

double BlockTerm::excess(const double* z, index_t count, double widen) const {
  if (count == 1) {
    if ((z[0] > 0.0 ? upper : lower) == 0.0) return 0.0;
    return std::max(0.0, std::abs(z[0]) + widen - l1 - l2);
  }
  double squares = 0.0;
  for (index_t i = 0; i < count; ++i) {
    const double left = std::abs(z[i]) + widen - l1;
    if (left > 0.0) squares += left * left;
  }
  return std::max(0.0, std::sqrt(squares) - l2);
}

double BlockTerm::violation(const double* b, const double* z, index_t count) const {
  const double r = norm(b, count);
  if (r == 0.0) return excess(z, count);
  const double pull = ridge + rho_slope(r) / r;
  double squares = 0.0;
  for (index_t i = 0; i < count; ++i) {
    const double rest = z[i] - pull * b[i];
    const double left = b[i] == 0.0 ? soft(rest, l1) : rest - (b[i] > 0.0 ? l1 : -l1);
    squares += left * left;
    if (count == 1 && ((b[0] >= upper && left > 0.0) || (b[0] <= lower && left < 0.0))) return 0.0;
  }
  return std::sqrt(squares);
}

double BlockTerm::conjugate(const double* z, index_t count, double widen) const {
  const double slack = excess(z, count, widen);
  if (!(slack > 0.0)) return 0.0;
  const double reach = count > 1 ? kInfinity : (z[0] >= 0.0 ? upper : -lower);
  const double b = std::min(ridge > 0.0 ? slack / ridge : kInfinity, reach);
  return std::isinf(b) ? b : b * (slack - 0.5 * ridge * b);
}

double BlockTerm::feasible_scale(const double* z, index_t count, double widen) const {
  if (free() || excess(z, count, widen) == 0.0) return 1.0;
  double low = 0.0, high = 1.0;
  if (l1 == 0.0 || count == 1) {
    double squares = 0.0;
    for (index_t i = 0; i < count; ++i) squares += (std::abs(z[i]) + widen) * (std::abs(z[i]) + widen);
    return (l1 + l2) / std::sqrt(squares);
  }
  for (int step = 0; step < 60; ++step) {  // |soft(s z, l1)| - l2 grows with s
    const double s = 0.5 * (low + high);
    double squares = 0.0;
    for (index_t i = 0; i < count; ++i) {
      const double left = s * (std::abs(z[i]) + widen) - l1;
      if (left > 0.0) squares += left * left;
    }
    (squares <= l2 * l2 ? low : high) = s;
  }
  return low;
}

double BlockTerm::minimiser(double z, double h) const {
  const double size = std::abs(z), reach = z >= 0.0 ? upper : -lower, bend = h + ridge, hold = l1 + l2;
  if (!(bend > 0.0)) return 0.0;
  if (!concave()) return std::copysign(std::min(std::max(0.0, size - hold) / bend, reach), z);
  // The best of each piece of rho: a piece that is concave with the loss has it at an end.
  double best = 0.0, least = 0.0;
  const auto consider = [&](double b) {
    b = std::min(b, reach);
    const double value = 0.5 * bend * b * b - size * b + rho(b);
    if (value < least) {
      best = b;
      least = value;
    }
  };
  const double knot = shape == Shape::scad ? l2 : 0.0, far = gamma * l2;
  const double drop = shape == Shape::scad ? 1.0 / (gamma - 1.0) : 1.0 / gamma;  // minus the curvature between knots
  if (shape == Shape::scad) consider(std::min(std::max(0.0, size - l2) / bend, knot));
  if (bend > drop) consider(std::min(std::max(knot, (size - drop * far) / (bend - drop)), far));
  consider(far);
  consider(std::max(far, size / bend));
  return std::copysign(best, z);
}

void minimise_norm(const BlockTerm& term, const double* h, const double* z, index_t count, double start, double* u) {
  double weight = term.rho_slope(start), before = start;
  for (int step = 0; step < kTangents; ++step) {
    const double r = weight > 0.0 ? secular(h, z, count, term.ridge, weight) : 1.0;
    double squares = 0.0;
    for (index_t i = 0; i < count; ++i) {
      const double bend = (h[i] + term.ridge) * r + weight;
      u[i] = r > 0.0 && bend > 0.0 ? z[i] * r / bend : 0.0;
      squares += u[i] * u[i];
    }
    const double now = std::sqrt(squares);
    if (!term.concave() || std::abs(now - before) <= 1e-13 * now || now == 0.0) return;
    before = now;
    weight = term.rho_slope(now);
  }
}

void proximal_step(const BlockTerm& term, double step, const double* b0, const double* z, index_t count, double* b) {
  double squares = 0.0;
  for (index_t i = 0; i < count; ++i) {
    b[i] = soft(b0[i] * step + z[i], term.l1);
    squares += b[i] * b[i];
  }
  const double size = std::sqrt(squares), share = size > term.l2 ? (1.0 - term.l2 / size) / (step + term.ridge) : 0.0;
  for (index_t i = 0; i < count; ++i) b[i] *= share;
}

}  // namespace bridle
