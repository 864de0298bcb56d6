// Only registers; what is bound lives in the other files of this folder.
#include <nanobind/nanobind.h>

#include "simd.hpp"

namespace bridle_bind {
void bind_blas();
void bind_blocks(nanobind::module_& m);
void bind_design(nanobind::module_& m);
void bind_moments(nanobind::module_& m);
void bind_multi(nanobind::module_& m);
void bind_path(nanobind::module_& m);
void bind_survival(nanobind::module_& m);
}  // namespace bridle_bind

NB_MODULE(_core, m) {
  m.doc() = "The compiled loops of bridle; see docs/solver.md.";
  m.def("instruction_set", &bridle::simd::instruction_set);
  bridle_bind::bind_blas();
  bridle_bind::bind_design(m);
  bridle_bind::bind_moments(m);
  bridle_bind::bind_path(m);
  bridle_bind::bind_blocks(m);
  bridle_bind::bind_survival(m);
  bridle_bind::bind_multi(m);
}
