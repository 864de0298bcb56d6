#include "arrays.hpp"

namespace bridle_bind {
namespace {

using bridle::index_t;

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using Flat = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
BoundDesign dense(Matrix<T> x) {
  BoundDesign out;
  const auto rows = static_cast<index_t>(x.shape(0)), columns = static_cast<index_t>(x.shape(1));
  if (x.stride(0) == 1 || rows == 1)
    out.view = bridle::dense_by_columns<T>(x.data(), rows, columns, x.stride(1));
  else if (x.stride(1) == 1 || columns == 1)
    out.view = bridle::dense_by_rows<T>(x.data(), rows, columns, x.stride(0));
  else
    throw nb::value_error("neither rows nor columns are contiguous");
  out.owners.push_back(nb::cast(x));
  return out;
}

template <class T, class I>
BoundDesign sparse(Flat<T> data, Flat<I> indices, Flat<I> starts, index_t rows) {
  BoundDesign out;
  const auto columns = static_cast<index_t>(starts.shape(0)) - 1;
  out.view = bridle::sparse_by_columns<T, I>(data.data(), indices.data(), starts.data(), rows, columns);
  out.owners.push_back(nb::cast(data));
  out.owners.push_back(nb::cast(indices));
  out.owners.push_back(nb::cast(starts));
  return out;
}

void check(size_t got, index_t expected, const char* what) {
  if (static_cast<index_t>(got) != expected) throw nb::value_error(what);
}

// X'v (p,)
nb::ndarray<nb::numpy, double> dots(const BoundDesign& x, Vector v) {
  check(v.shape(0), x.view->rows(), "v needs one value per row");
  std::vector<double> out(x.view->columns());
  {
    nb::gil_scoped_release release;
    x.view->dots(nullptr, x.view->columns(), v.data(), out.data());
  }
  return to_numpy(std::move(out));
}

// X b (n,)
nb::ndarray<nb::numpy, double> times(const BoundDesign& x, Vector b) {
  check(b.shape(0), x.view->columns(), "b needs one value per column");
  std::vector<double> out(x.view->rows(), 0.0);
  {
    nb::gil_scoped_release release;
    x.view->add(nullptr, x.view->columns(), b.data(), out.data());
  }
  return to_numpy(std::move(out));
}

// sum_i w_i (x_ij - shift_j)^2 (p,)
nb::ndarray<nb::numpy, double> squares(const BoundDesign& x, Vector w, Vector shift) {
  check(w.shape(0), x.view->rows(), "w needs one value per row");
  check(shift.shape(0), x.view->columns(), "shift needs one value per column");
  std::vector<double> out(x.view->columns());
  {
    nb::gil_scoped_release release;
    const double total = bridle::simd::sum(w.data(), x.view->rows());
    x.view->squares(0, x.view->columns(), w.data(), total, shift.data(), out.data());
  }
  return to_numpy(std::move(out));
}

// Three (m, p): X'w_k, sum_i w_ki (x_ij - mean_kj)^2, X'v_k for the rows k of w and v (m, n)
nb::tuple survey(const BoundDesign& x, Rows w, Rows v) {
  check(w.shape(1), x.view->rows(), "w needs one value per row");
  check(v.shape(1), x.view->rows(), "v needs one value per row");
  check(v.shape(0), static_cast<index_t>(w.shape(0)), "w and v need as many vectors");
  const size_t count = w.shape(0), n = w.shape(1), p = static_cast<size_t>(x.view->columns());
  std::vector<double> mean(count * p), about(count * p), product(count * p);
  {
    nb::gil_scoped_release release;
    std::vector<const double*> weights, vectors;
    for (size_t m = 0; m < count; ++m) {
      weights.push_back(w.data() + m * n);
      vectors.push_back(v.data() + m * n);
    }
    x.view->survey(weights, vectors, mean.data(), about.data(), product.data());
  }
  return nb::make_tuple(to_numpy(std::move(mean), {count, p}), to_numpy(std::move(about), {count, p}),
                        to_numpy(std::move(product), {count, p}));
}

}  // namespace

void bind_design(nb::module_& m) {
  nb::class_<BoundDesign>(m, "Design")
      .def("dots", &dots, nb::arg("v").noconvert())
      .def("times", &times, nb::arg("b").noconvert())
      .def("squares", &squares, nb::arg("w").noconvert(), nb::arg("shift").noconvert())
      .def("survey", &survey, nb::arg("w").noconvert(), nb::arg("v").noconvert())
      .def_prop_ro("shape",
                   [](const BoundDesign& x) { return std::make_pair(x.view->rows(), x.view->columns()); });
  m.def("dense", &dense<double>, nb::arg("x").noconvert());
  m.def("dense", &dense<float>, nb::arg("x").noconvert());
  m.def("sparse", &sparse<double, std::int32_t>, nb::arg("data").noconvert(), nb::arg("indices").noconvert(),
        nb::arg("starts").noconvert(), nb::arg("rows"));
  m.def("sparse", &sparse<double, std::int64_t>, nb::arg("data").noconvert(), nb::arg("indices").noconvert(),
        nb::arg("starts").noconvert(), nb::arg("rows"));
  m.def("sparse", &sparse<float, std::int32_t>, nb::arg("data").noconvert(), nb::arg("indices").noconvert(),
        nb::arg("starts").noconvert(), nb::arg("rows"));
  m.def("sparse", &sparse<float, std::int64_t>, nb::arg("data").noconvert(), nb::arg("indices").noconvert(),
        nb::arg("starts").noconvert(), nb::arg("rows"));
}

}  // namespace bridle_bind
