#include "simd.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "vectors.hpp"

namespace bridle::simd {
namespace {

constexpr index_t kLanes = 32;  // four AVX-512 registers of doubles: enough to hide the latency of an addition

// acc[k] summed pairwise, so that the order does not depend on the vector width.
BRIDLE_INLINE double fold(double* acc) {
  for (index_t width = kLanes / 2; width > 0; width /= 2)
    for (index_t k = 0; k < width; ++k) acc[k] += acc[k + width];
  return acc[0];
}

template <class T>
BRIDLE_INLINE double dot_any(const T* x, const double* y, index_t n) {
  double acc[kLanes] = {};
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (index_t k = 0; k < kLanes; ++k) acc[k] += static_cast<double>(x[i + k]) * y[i + k];
  if (i == 0 && n < 8) {
    double few = 0.0;
    for (; i < n; ++i) few += static_cast<double>(x[i]) * y[i];
    return few;
  }
  for (; i + 8 <= n; i += 8)
    for (index_t k = 0; k < 8; ++k) acc[k] += static_cast<double>(x[i + k]) * y[i + k];
  double rest = 0.0;
  for (; i < n; ++i) rest += static_cast<double>(x[i]) * y[i];
  return fold(acc) + rest;
}

#if defined(__GNUC__)
template <class T>
BRIDLE_INLINE void dot4_any(const T* x, const double* const* y, double* out, index_t n) {
  constexpr index_t kStep = 8;
  Four acc[4][2] = {};
  index_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Four left, right, other;
    load4(left, x + i);
    load4(right, x + i + 4);
    for (int k = 0; k < 4; ++k) {
      load4(other, y[k] + i);
      acc[k][0] += left * other;
      load4(other, y[k] + i + 4);
      acc[k][1] += right * other;
    }
  }
  for (int k = 0; k < 4; ++k) {
    double rest = 0.0;
    for (index_t r = i; r < n; ++r) rest += static_cast<double>(x[r]) * y[k][r];
    const Four both = acc[k][0] + acc[k][1];
    out[k] = ((both[0] + both[2]) + (both[1] + both[3])) + rest;
  }
}
#else
template <class T>
inline void dot4_any(const T* x, const double* const* y, double* out, index_t n) {
  for (int k = 0; k < 4; ++k) out[k] = dot_any(x, y[k], n);
}
#endif

template <class T>
BRIDLE_INLINE double square_any(const double* w, const T* x, double shift, index_t n) {
  double acc[kLanes] = {};
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (index_t k = 0; k < kLanes; ++k) {
      const double d = static_cast<double>(x[i + k]) - shift;
      acc[k] += w[i + k] * d * d;
    }
  double rest = 0.0;
  for (; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - shift;
    rest += w[i] * d * d;
  }
  return fold(acc) + rest;
}

BRIDLE_INLINE double divergence_bound_any(const double* x, const double* c, double share, index_t n, double& largest) {
  double acc[kLanes] = {}, most[kLanes] = {};
  const auto add = [&](index_t i, index_t k) {
    const double moved = share * std::abs(x[i]), r = moved / (c[i] + 1e-300);
    acc[k] += moved * r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 12.0 + r / 15.0)));
    most[k] = r > most[k] ? r : most[k];
  };
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (index_t k = 0; k < kLanes; ++k) add(i + k, k);
  for (; i < n; ++i) add(i, 0);
  for (double r : most) largest = r > largest ? r : largest;
  return fold(acc);
}

template <class T>
BRIDLE_INLINE void axpy4_any(const double* a, const T* const* x, double* y, index_t n) {
  const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
  const double a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
  for (index_t i = 0; i < n; ++i)
    y[i] += (a0 * static_cast<double>(x0[i]) + a1 * static_cast<double>(x1[i])) +
            (a2 * static_cast<double>(x2[i]) + a3 * static_cast<double>(x3[i]));
}

BRIDLE_INLINE double fold4(const Four& low, const Four& high) {
  const Four a = low + high;
  return (a[0] + a[2]) + (a[1] + a[3]);
}

template <class T>
BRIDLE_INLINE void dot4_any(const T* const* x, const double* y, index_t n, double* out) {
  const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
  Four a0 = {}, a1 = {}, a2 = {}, a3 = {}, b0 = {}, b1 = {}, b2 = {}, b3 = {}, v, w, u;
  index_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load4(v, y + i);
    load4(w, y + i + 4);
    load4(u, x0 + i);
    a0 = a0 + u * v;
    load4(u, x0 + i + 4);
    b0 = b0 + u * w;
    load4(u, x1 + i);
    a1 = a1 + u * v;
    load4(u, x1 + i + 4);
    b1 = b1 + u * w;
    load4(u, x2 + i);
    a2 = a2 + u * v;
    load4(u, x2 + i + 4);
    b2 = b2 + u * w;
    load4(u, x3 + i);
    a3 = a3 + u * v;
    load4(u, x3 + i + 4);
    b3 = b3 + u * w;
  }
  double rest[4] = {};
  for (; i < n; ++i)
    for (int k = 0; k < 4; ++k) rest[k] += static_cast<double>(x[k][i]) * y[i];
  out[0] += fold4(a0, b0) + rest[0];
  out[1] += fold4(a1, b1) + rest[1];
  out[2] += fold4(a2, b2) + rest[2];
  out[3] += fold4(a3, b3) + rest[3];
}

// Rows i..i + 8 of C columns against all vectors; then what is left, one by one.
template <int C, class T>
BRIDLE_INLINE void times_any(const T* const* x, const double* coef, index_t ld, index_t vectors, double* out,
                             index_t ldo, index_t n) {
  index_t i = 0;
  for (; i + 8 <= n; i += 8) {
    Four low[C], high[C], a, b;
    for (int c = 0; c < C; ++c) {
      load4(low[c], x[c] + i);
      load4(high[c], x[c] + i + 4);
    }
    for (index_t k = 0; k < vectors; ++k) {
      double* to = out + k * ldo + i;
      load4(a, to);
      load4(b, to + 4);
      for (int c = 0; c < C; ++c) {
        const double each = coef[k * ld + c];
        const Four all = {each, each, each, each};
        a = a + low[c] * all;
        b = b + high[c] * all;
      }
      std::memcpy(to, &a, sizeof a);
      std::memcpy(to + 4, &b, sizeof b);
    }
  }
  for (; i < n; ++i)
    for (index_t k = 0; k < vectors; ++k)
      for (int c = 0; c < C; ++c) out[k * ldo + i] += static_cast<double>(x[c][i]) * coef[k * ld + c];
}

BRIDLE_INLINE double fold1(const Four& sums) { return (sums[0] + sums[2]) + (sums[1] + sums[3]); }

// Four columns against V <= 3 vectors: sums stay in registers.
template <int V, class T>
BRIDLE_INLINE void products4(const T* const* x, const double* v, index_t ldv, index_t n, double* out, index_t ldo) {
  const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
  Four a0 = {}, a1 = {}, a2 = {}, a3 = {}, b0 = {}, b1 = {}, b2 = {}, b3 = {}, c0 = {}, c1 = {}, c2 = {}, c3 = {};
  Four u0, u1, u2, u3, w;
  index_t i = 0;
  for (; i + 4 <= n; i += 4) {
    load4(u0, x0 + i);
    load4(u1, x1 + i);
    load4(u2, x2 + i);
    load4(u3, x3 + i);
    load4(w, v + i);
    a0 = a0 + u0 * w;
    a1 = a1 + u1 * w;
    a2 = a2 + u2 * w;
    a3 = a3 + u3 * w;
    if (V > 1) {
      load4(w, v + ldv + i);
      b0 = b0 + u0 * w;
      b1 = b1 + u1 * w;
      b2 = b2 + u2 * w;
      b3 = b3 + u3 * w;
    }
    if (V > 2) {
      load4(w, v + 2 * ldv + i);
      c0 = c0 + u0 * w;
      c1 = c1 + u1 * w;
      c2 = c2 + u2 * w;
      c3 = c3 + u3 * w;
    }
  }
  const double sums[3][4] = {{fold1(a0), fold1(a1), fold1(a2), fold1(a3)},
                             {fold1(b0), fold1(b1), fold1(b2), fold1(b3)},
                             {fold1(c0), fold1(c1), fold1(c2), fold1(c3)}};
  for (int k = 0; k < V; ++k)
    for (int c = 0; c < 4; ++c) {
      double rest = 0.0;
      for (index_t r = i; r < n; ++r) rest += static_cast<double>(x[c][r]) * v[k * ldv + r];
      out[k * ldo + c] += sums[k][c] + rest;
    }
}

template <class T>
BRIDLE_INLINE void times_all(const T* const* x, index_t columns, const double* coef, index_t ld, index_t vectors, double* out,
                             index_t ldo, index_t n) {
  index_t c = 0;
  for (; c + 4 <= columns; c += 4) times_any<4>(x + c, coef + c, ld, vectors, out, ldo, n);
  for (; c < columns; ++c) times_any<1>(x + c, coef + c, ld, vectors, out, ldo, n);
}

template <class T>
BRIDLE_INLINE void products_all(const T* const* x, index_t columns, const double* v, index_t ldv, index_t vectors, double* out,
                                index_t ldo, index_t n) {
  index_t c = 0;
  for (; c + 4 <= columns; c += 4) {
    index_t k = 0;
    for (; k + 3 <= vectors && vectors - k != 4; k += 3) products4<3>(x + c, v + k * ldv, ldv, n, out + k * ldo + c, ldo);
    for (; k + 2 <= vectors; k += 2) products4<2>(x + c, v + k * ldv, ldv, n, out + k * ldo + c, ldo);
    for (; k < vectors; ++k) products4<1>(x + c, v + k * ldv, ldv, n, out + k * ldo + c, ldo);
  }
  for (; c < columns; ++c)
    for (index_t k = 0; k < vectors; ++k) out[k * ldo + c] += dot_any(x[c], v + k * ldv, n);
}

}  // namespace

const char* instruction_set() {
#if BRIDLE_HAS_CLONES
  if (__builtin_cpu_supports("x86-64-v4")) return "x86-64-v4";
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
#endif
  return "baseline";
}

BRIDLE_CLONES void axpy4(const double* a, const double* const* x, double* y, index_t n) { axpy4_any(a, x, y, n); }
BRIDLE_CLONES void axpy4(const double* a, const float* const* x, double* y, index_t n) { axpy4_any(a, x, y, n); }

BRIDLE_CLONES void dot4(const double* const* x, const double* y, index_t n, double* out) { dot4_any(x, y, n, out); }
BRIDLE_CLONES void dot4(const float* const* x, const double* y, index_t n, double* out) { dot4_any(x, y, n, out); }

BRIDLE_CLONES void times(const double* const* x, index_t columns, const double* coef, index_t ld, index_t vectors,
                         double* out, index_t ldo, index_t n) {
  times_all(x, columns, coef, ld, vectors, out, ldo, n);
}
BRIDLE_CLONES void times(const float* const* x, index_t columns, const double* coef, index_t ld, index_t vectors, double* out,
                         index_t ldo, index_t n) {
  times_all(x, columns, coef, ld, vectors, out, ldo, n);
}
BRIDLE_CLONES void products(const double* const* x, index_t columns, const double* v, index_t ldv, index_t vectors,
                            double* out, index_t ldo, index_t n) {
  products_all(x, columns, v, ldv, vectors, out, ldo, n);
}
BRIDLE_CLONES void products(const float* const* x, index_t columns, const double* v, index_t ldv, index_t vectors,
                            double* out, index_t ldo, index_t n) {
  products_all(x, columns, v, ldv, vectors, out, ldo, n);
}

BRIDLE_CLONES double dot(const double* x, const double* y, index_t n) { return dot_any(x, y, n); }
BRIDLE_CLONES double dot(const float* x, const double* y, index_t n) { return dot_any(x, y, n); }

BRIDLE_CLONES void dot4(const double* x, const double* const* y, double* out, index_t n) { dot4_any(x, y, out, n); }
BRIDLE_CLONES void dot4(const float* x, const double* const* y, double* out, index_t n) { dot4_any(x, y, out, n); }

BRIDLE_CLONES void axpy(double a, const double* x, double* y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] += a * x[i];
}

BRIDLE_CLONES void axpy(double a, const float* x, double* y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] += a * static_cast<double>(x[i]);
}

BRIDLE_CLONES void weighted_axpy(double a, const double* w, const double* x, double* y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] += a * w[i] * x[i];
}

BRIDLE_CLONES void weighted_axpy(double a, const double* w, const float* x, double* y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] += a * w[i] * static_cast<double>(x[i]);
}

BRIDLE_CLONES double divergence_bound(const double* x, const double* c, double share, index_t n, double& largest) {
  return divergence_bound_any(x, c, share, n, largest);
}

BRIDLE_CLONES double sum(const double* x, index_t n) {
  double acc[kLanes] = {};
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (index_t k = 0; k < kLanes; ++k) acc[k] += x[i + k];
  double rest = 0.0;
  for (; i < n; ++i) rest += x[i];
  return fold(acc) + rest;
}

BRIDLE_CLONES double absolute_sum(const double* x, index_t n) {
  double acc[kLanes] = {};
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (index_t k = 0; k < kLanes; ++k) acc[k] += std::abs(x[i + k]);
  double rest = 0.0;
  for (; i < n; ++i) rest += std::abs(x[i]);
  return fold(acc) + rest;
}

BRIDLE_CLONES double weighted_square(const double* w, const double* x, double shift, index_t n) {
  return square_any(w, x, shift, n);
}
BRIDLE_CLONES double weighted_square(const double* w, const float* x, double shift, index_t n) {
  return square_any(w, x, shift, n);
}

BRIDLE_CLONES void bound4(const double* a, const double* const* c, const double* rate, const double* x, const double* y,
                          double share, const double* z, double less, double* out, double* excess, index_t n) {
  const double *c0 = c[0], *c1 = c[1], *c2 = c[2], *c3 = c[3];
  for (index_t i = 0; i < n; ++i) {
    const double sum = (a[0] * c0[i] + a[1] * c1[i]) + (a[2] * c2[i] + a[3] * c3[i]);
    out[i] = sum;
    excess[i] = std::abs(sum) + (rate[0] * x[i] + rate[1] * y[i]) - (share * z[i] - less);
  }
}

// Cody and Waite: x = k log 2 + r with |r| <= log(2)/2, then the Taylor series to r^13 (remainder below 5e-18) and
// a scaling by 2^k in two halves, so that results down to the subnormal range and up to overflow come out right.
BRIDLE_CLONES void exp(const double* x, double* out, index_t n) {
  constexpr double kLog2e = 1.4426950408889634074;
  constexpr double kLn2Hi = 6.93147180369123816490e-01, kLn2Lo = 1.90821492927058770002e-10;
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
  for (index_t i = 0; i < n; ++i) {
    const double t = x[i] < -745.2 ? -745.2 : (x[i] > 709.79 ? 709.79 : x[i]);
    const double shifted = t * kLog2e + kRound;
    const double k = shifted - kRound;
    const double r = (t - k * kLn2Hi) - k * kLn2Lo;
    double s = 1.0 / 6227020800.0;
    s = s * r + 1.0 / 479001600.0;
    s = s * r + 1.0 / 39916800.0;
    s = s * r + 1.0 / 3628800.0;
    s = s * r + 1.0 / 362880.0;
    s = s * r + 1.0 / 40320.0;
    s = s * r + 1.0 / 5040.0;
    s = s * r + 1.0 / 720.0;
    s = s * r + 1.0 / 120.0;
    s = s * r + 1.0 / 24.0;
    s = s * r + 1.0 / 6.0;
    s = s * r + 0.5;
    s = s * r + 1.0;
    s = s * r + 1.0;
    std::int64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const std::int64_t power = static_cast<std::int64_t>(static_cast<std::int32_t>(bits));
    const std::int64_t half = power >> 1;
    const std::int64_t first_bits = (half + 1023) << 52, second_bits = (power - half + 1023) << 52;
    double first, second;
    std::memcpy(&first, &first_bits, sizeof first);
    std::memcpy(&second, &second_bits, sizeof second);
    out[i] = s * first * second;
  }
}

BRIDLE_CLONES void logistic(const double* z, double* upper, double* lower, index_t n) {
  for (index_t i = 0; i < n; ++i) lower[i] = -std::abs(z[i]);
  exp(lower, lower, n);
  for (index_t i = 0; i < n; ++i) {
    const double scale = 1.0 / (1.0 + lower[i]), small = lower[i] * scale;  // e^-|z|: nothing overflows, both tails exact
    const bool up = z[i] >= 0.0;
    upper[i] = up ? scale : small;
    lower[i] = up ? small : scale;
  }
}

// With x = y (1 + d) it is y [(1 + d) log(1 + d) - d]: near d = 0 by the series d^2/2 - d^3/6 + d^4/12 - ..., elsewhere by
// the logarithm of 1 + d = 2^e m, 2/3 <= m < 4/3, log m = 2 artanh(t), t = (m - 1) / (m + 1), |t| <= 1/5.
BRIDLE_CLONES void divergence(const double* x, const double* y, double* out, index_t n) {
  constexpr double kLn2Hi = 6.93147180369123816490e-01, kLn2Lo = 1.90821492927058770002e-10;
  constexpr double kBias = 6755399441055744.0;  // 1.5 * 2^52
  for (index_t i = 0; i < n; ++i) {
    const double d = (x[i] - y[i]) / (y[i] > 1e-300 ? y[i] : 1e-300);  // e^eta can underflow
    double s = 1.0 / 56.0 - d / 72.0;
    s = 1.0 / 42.0 - d * s;
    s = 1.0 / 30.0 - d * s;
    s = 1.0 / 20.0 - d * s;
    s = 1.0 / 12.0 - d * s;
    s = 1.0 / 6.0 - d * s;
    const double near = d * d * (0.5 - d * s);
    const double z = 1.0 + d > 1e-300 ? 1.0 + d : 1e-300;
    std::int64_t bits;
    std::memcpy(&bits, &z, sizeof bits);
    const std::int64_t above = bits - 0x3fe5555555555555;  // that of 2/3
    const std::int64_t e = above >> 52;
    const std::int64_t mantissa = bits - (above & ~0xfffffffffffff);
    double m;
    std::memcpy(&m, &mantissa, sizeof m);
    const std::int64_t shifted = e + 0x4338000000000000;  // kBias + e, without a conversion of integers
    double power;
    std::memcpy(&power, &shifted, sizeof power);
    power -= kBias;
    const double t = (m - 1.0) / (m + 1.0), q = t * t;
    double a = 1.0 / 21.0;
    a = a * q + 1.0 / 19.0;
    a = a * q + 1.0 / 17.0;
    a = a * q + 1.0 / 15.0;
    a = a * q + 1.0 / 13.0;
    a = a * q + 1.0 / 11.0;
    a = a * q + 1.0 / 9.0;
    a = a * q + 1.0 / 7.0;
    a = a * q + 1.0 / 5.0;
    a = a * q + 1.0 / 3.0;
    const double log = power * kLn2Hi + (2.0 * (t + t * q * a) + power * kLn2Lo);
    const double far = z * log - d;
    const double phi = d < 0.03 && d > -0.03 ? near : far;
    out[i] = y[i] * (phi > 0.0 ? phi : 0.0);
  }
}

BRIDLE_CLONES void shift_scale(const double* w, const double* x, double shift, double scale, double* out, index_t n) {
  for (index_t i = 0; i < n; ++i) out[i] = w[i] * ((x[i] - shift) * scale);
}
BRIDLE_CLONES void shift_scale(const double* w, const float* x, double shift, double scale, double* out, index_t n) {
  for (index_t i = 0; i < n; ++i) out[i] = w[i] * ((static_cast<double>(x[i]) - shift) * scale);
}

// log(1 + x) = 2 artanh(t) with t = x / (2 + x) <= 1/3: an odd series whose terms fall by 9 and more, so that one
// polynomial serves the whole range (remainder below 1e-17 relative) and nothing cancels near 0.
BRIDLE_CLONES void log1p_unit(const double* x, double* out, index_t n) {
  for (index_t i = 0; i < n; ++i) {
    const double t = x[i] / (2.0 + x[i]), q = t * t;
    double s = 1.0 / 33.0;
    s = s * q + 1.0 / 31.0;
    s = s * q + 1.0 / 29.0;
    s = s * q + 1.0 / 27.0;
    s = s * q + 1.0 / 25.0;
    s = s * q + 1.0 / 23.0;
    s = s * q + 1.0 / 21.0;
    s = s * q + 1.0 / 19.0;
    s = s * q + 1.0 / 17.0;
    s = s * q + 1.0 / 15.0;
    s = s * q + 1.0 / 13.0;
    s = s * q + 1.0 / 11.0;
    s = s * q + 1.0 / 9.0;
    s = s * q + 1.0 / 7.0;
    s = s * q + 1.0 / 5.0;
    s = s * q + 1.0 / 3.0;
    out[i] = 2.0 * (t + t * q * s);
  }
}

}  // namespace bridle::simd
