// NumPy arrays in and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <memory>
#include <utility>
#include <vector>

#include "design.hpp"

namespace bridle_bind {

namespace nb = nanobind;

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

using Target = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;  // (n,), or (n, m) as a loss takes it

using Rows = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T>&& values, std::vector<size_t> shape = {}) {
  auto* held = new std::vector<T>(std::move(values));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  if (shape.empty()) shape.push_back(held->size());
  return nb::ndarray<nb::numpy, T>(held->data(), shape.size(), shape.data(), owner);
}

// A view of Python's arrays: holds them alive, copies nothing.
struct BoundDesign {
  std::unique_ptr<bridle::Design> view;
  std::vector<nb::object> owners;
};

}  // namespace bridle_bind
