// Hot loops, compiled for several instruction sets; the processor's own is chosen at run time.
//
// Sums run over a fixed number of accumulators, whatever the vector width, so that only the fusing of multiply and
// add can make two processors differ.
#pragma once

#include <cstdint>

namespace bridle {

using index_t = std::int64_t;

namespace simd {

const char* instruction_set();  // what the loops below were compiled for, on this processor

double dot(const double* x, const double* y, index_t n);               // sum_i x_i y_i
double dot(const float* x, const double* y, index_t n);                // the same, summed in float64
void dot4(const double* x, const double* const* y, double* out, index_t n);  // sum_i x_i y_ki for k < 4, x read once
void dot4(const float* x, const double* const* y, double* out, index_t n);   //
void axpy(double a, const double* x, double* y, index_t n);            // y += a x
void axpy(double a, const float* x, double* y, index_t n);             //
void axpy4(const double* a, const double* const* x, double* y, index_t n);  // y += sum_{k<4} a_k x_k
void axpy4(const double* a, const float* const* x, double* y, index_t n);   //
void dot4(const double* const* x, const double* y, index_t n, double* out);  // out_k += x_k'y, k < 4: four streams of
void dot4(const float* const* x, const double* y, index_t n, double* out);   // memory are read faster than one
// Several columns x_c (n,) and several vectors at once, so that each column is read once; ld, ldo, ldv: from one vector to
// the next. out_k += sum_c coef_ck x_c, and out_ck += x_c'v_k
void times(const double* const* x, index_t columns, const double* coef, index_t ld, index_t vectors, double* out,
           index_t ldo, index_t n);
void times(const float* const* x, index_t columns, const double* coef, index_t ld, index_t vectors, double* out, index_t ldo,
           index_t n);
void products(const double* const* x, index_t columns, const double* v, index_t ldv, index_t vectors, double* out,
              index_t ldo, index_t n);
void products(const float* const* x, index_t columns, const double* v, index_t ldv, index_t vectors, double* out, index_t ldo,
              index_t n);
void weighted_axpy(double a, const double* w, const double* x, double* y, index_t n);  // y_i += a w_i x_i
void weighted_axpy(double a, const double* w, const float* x, double* y, index_t n);   //
double sum(const double* x, index_t n);                                // sum_i x_i
// sum_i c_i g(r_i), r_i = share |x_i| / c_i, where g(r) bounds r + (1 - r) log(1 - r) from above, by a thousandth at most;
// largest = the largest r_i: the bound holds up to 1/4
double divergence_bound(const double* x, const double* c, double share, index_t n, double& largest);
double absolute_sum(const double* x, index_t n);                       // sum_i |x_i|
double weighted_square(const double* w, const double* x, double shift, index_t n);  // sum_i w_i (x_i - shift)^2
double weighted_square(const double* w, const float* x, double shift, index_t n);   //
// out = sum_{k<4} a_k c_k; excess = |out| + rate[0] x + rate[1] y - (share z - less), element by element; all (n,)
void bound4(const double* a, const double* const* c, const double* rate, const double* x, const double* y, double share,
            const double* z, double less, double* out, double* excess, index_t n);
void exp(const double* x, double* out, index_t n);                     // relative error below 2 ulp; inf above 709.78
// upper = 1 / (1 + e^-z) and lower = 1 / (1 + e^z), both to a few ulp; upper may be z
void logistic(const double* z, double* upper, double* lower, index_t n);
// out = x log(x / y) - x + y >= 0 for x >= 0, y > 0, without cancellation for x near y; relative error below 1e-12
void divergence(const double* x, const double* y, double* out, index_t n);
void shift_scale(const double* w, const double* x, double shift, double scale, double* out, index_t n);  // w (x - shift)
void shift_scale(const double* w, const float* x, double shift, double scale, double* out, index_t n);   // * scale
void log1p_unit(const double* x, double* out, index_t n);              // log(1 + x) for 0 <= x <= 1, to 2 ulp

}  // namespace simd
}  // namespace bridle
