// How hot loops are compiled for several instruction sets, the processor's own chosen at run time.
#pragma once

#include <cstring>

// Function multiversioning needs the loader's ifunc (glibc on x86-64). Elsewhere the baseline is what there is:
// on arm64 NEON, on MSVC what the compiler options say.
#if defined(__x86_64__) && defined(__GLIBC__) && (defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12)
#define BRIDLE_HAS_CLONES 1
#define BRIDLE_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define BRIDLE_HAS_CLONES 0
#define BRIDLE_CLONES
#endif

// Bodies shared by the clones have to be compiled with each clone's instructions, hence inside it.
#if defined(__GNUC__)
#define BRIDLE_INLINE __attribute__((always_inline)) inline
#else
#define BRIDLE_INLINE inline
#endif

#if defined(__GNUC__)
namespace bridle::simd {

// What compilers don't find from plain loops: several sums at once, an order of loads, changes of places.
using Quad = double __attribute__((vector_size(32)));
BRIDLE_INLINE void load(const double* x, Quad& out) { std::memcpy(&out, x, sizeof out); }
BRIDLE_INLINE void load(const float* x, Quad& out) {
  using Floats = float __attribute__((vector_size(16)));
  Floats narrow;
  std::memcpy(&narrow, x, sizeof narrow);
  out = __builtin_convertvector(narrow, Quad);
}

}  // namespace bridle::simd
#endif
