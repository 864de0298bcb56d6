#include "blas.hpp"

#include <nanobind/nanobind.h>

#include <cstring>

namespace bridle_bind {
namespace {

namespace nb = nanobind;

template <class Function>
void take(nb::handle module, const char* name, Function& target) {
  nb::object capsule = module.attr("__pyx_capi__")[name];
  const char* signature = PyCapsule_GetName(capsule.ptr());
  if (signature == nullptr || std::strstr(signature, "int *") == nullptr)
    throw nb::import_error("SciPy's BLAS has another integer type than the 32-bit one that bridle was built for");
  target = reinterpret_cast<Function>(PyCapsule_GetPointer(capsule.ptr(), signature));
}

}  // namespace

void bind_blas() {
  const nb::object blas = nb::module_::import_("scipy.linalg.cython_blas");
  const nb::object lapack = nb::module_::import_("scipy.linalg.cython_lapack");
  take(blas, "dsyrk", bridle::blas().dsyrk);
  take(blas, "dgemm", bridle::blas().dgemm);
  take(blas, "dtrsm", bridle::blas().dtrsm);
  take(lapack, "dpotrf", bridle::blas().dpotrf);
  take(lapack, "dsyev", bridle::blas().dsyev);
}

}  // namespace bridle_bind
