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

namespace bridle::simd {

// Four lanes by name: as arrays, the accumulators of several columns would be spilled to memory.
#if defined(__GNUC__)
using Four = double __attribute__((vector_size(32)));
using FourFloats = float __attribute__((vector_size(16)));
BRIDLE_INLINE void load4(Four& to, const double* from) { std::memcpy(&to, from, sizeof to); }
BRIDLE_INLINE void load4(Four& to, const float* from) {
  FourFloats narrow;
  std::memcpy(&narrow, from, sizeof narrow);
  to = __builtin_convertvector(narrow, Four);
}
#else
struct Four {
  double lane[4] = {};
  double operator[](int k) const { return lane[k]; }
};
inline Four operator*(const Four& a, const Four& b) {
  return {{a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]}};
}
inline Four operator+(const Four& a, const Four& b) {
  return {{a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]}};
}
template <class T>
inline void load4(Four& to, const T* from) {
  for (int k = 0; k < 4; ++k) to.lane[k] = static_cast<double>(from[k]);
}
#endif

}  // namespace bridle::simd
