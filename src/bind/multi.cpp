#include <nanobind/stl/unique_ptr.h>

#include "arrays.hpp"
#include "losses_multi.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

std::unique_ptr<bridle::Loss> ordinal(Vector levels, index_t classes) {
  const auto n = static_cast<index_t>(levels.shape(0));
  for (index_t i = 0; i < n; ++i)
    if (!(levels.data()[i] >= 0.0 && levels.data()[i] < static_cast<double>(classes)))
      throw nb::value_error("a level is not one of the classes");
  return bridle::make_ordinal(levels.data(), n, classes);
}

}  // namespace

void bind_multi(nb::module_& m) { m.def("ordinal_loss", &ordinal, nb::arg("levels").noconvert(), nb::arg("classes")); }

}  // namespace bridle_bind
