// Conjugate gradients (Hestenes and Stiefel 1952), preconditioned, and what their preconditioners are made of.
#pragma once

#include <vector>

#include "simd.hpp"

namespace bridle {

// From x = 0 towards H x = r; x (n,) is the answer, r (n,) becomes what is left. precondition(r, z) makes z of r,
// product(p, image) H p; done(r, size, first), asked before each product, sees r'z now and at the start. Whether it
// said so before `most` products were made and H showed no direction without curvature.
template <class Precondition, class Product, class Done>
bool conjugate_gradients(std::vector<double>& x, std::vector<double>& r, index_t most, Precondition&& precondition,
                         Product&& product, Done&& done) {
  const index_t n = static_cast<index_t>(r.size());
  std::vector<double> z(n), along, image(n);
  x.assign(n, 0.0);
  double first = 0.0, before = 0.0;
  for (index_t turn = 0;; ++turn) {
    precondition(r, z);
    const double size = simd::dot(r.data(), z.data(), n);
    if (turn == 0) first = size;
    if (done(r, size, first)) return true;
    if (turn == most) return false;
    if (turn == 0) {
      along = z;
    } else {
      for (index_t i = 0; i < n; ++i) along[i] = z[i] + size / before * along[i];
    }
    before = size;
    product(along, image);
    const double curvature = simd::dot(along.data(), image.data(), n);
    if (!(curvature > 0.0)) return false;
    simd::axpy(size / curvature, along.data(), x.data(), n);
    simd::axpy(-size / curvature, image.data(), r.data(), n);
  }
}

// v (n,) = U'^-1 v, and U^-1 v, and (U'U)^-1 v, U upper by columns
inline void solve_transposed(const double* U, index_t n, double* v) {
  for (index_t a = 0; a < n; ++a) v[a] = (v[a] - simd::dot(U + a * n, v, a)) / U[a * n + a];
}
inline void solve_plain(const double* U, index_t n, double* v) {
  for (index_t a = n - 1; a >= 0; --a) {
    v[a] /= U[a * n + a];
    simd::axpy(-v[a], U + a * n, v, a);
  }
}
inline void solve_upper(const double* U, index_t n, double* v) {
  solve_transposed(U, n, v);
  solve_plain(U, n, v);
}

}  // namespace bridle
