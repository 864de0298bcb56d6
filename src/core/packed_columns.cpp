#include "packed_columns.hpp"

#include <algorithm>

#include "vectors.hpp"

namespace bridle {
namespace {

constexpr index_t kRows = 256;    // three groups and a fourth stay in the first-level cache
constexpr index_t kColumns = 96;  // on the other side, which stay in the second-level cache
constexpr index_t kAtOnce = 64;   // columns filled by rows: one page for each group of them
constexpr int kAcross = 4;        // columns k of a tile
constexpr int kGroups = 3;        // groups of columns i of a tile: 12 accumulators, one register for each

#if defined(__GNUC__)
template <int L>
struct Lanes;
template <>
struct Lanes<4> {
  using type = double __attribute__((vector_size(32)));
};
template <>
struct Lanes<8> {
  using type = double __attribute__((vector_size(64)));
};
#else
template <int L>
struct Lanes {
  struct type {
    double v[L];
    type& operator+=(const type& o) {
      for (int l = 0; l < L; ++l) v[l] += o.v[l];
      return *this;
    }
    friend type operator*(double s, const type& o) {
      type out;
      for (int l = 0; l < L; ++l) out.v[l] = s * o.v[l];
      return out;
    }
  };
};
#endif

// out (kAcross, G L) = products of kAcross columns, L apart, with G groups
template <int L, int G>
BRIDLE_INLINE void tile(const double* across, const double* groups, index_t step, index_t rows, double* out) {
  using V = typename Lanes<L>::type;
  V acc[kAcross][G] = {};
  for (index_t r = 0; r < rows; ++r) {
    V z[G];
#pragma GCC unroll 3
    for (int g = 0; g < G; ++g) std::memcpy(&z[g], groups + g * step + r * L, sizeof(V));
#pragma GCC unroll 4
    for (int k = 0; k < kAcross; ++k)
#pragma GCC unroll 3
      for (int g = 0; g < G; ++g) acc[k][g] += across[r * L + k] * z[g];
  }
#pragma GCC unroll 4
  for (int k = 0; k < kAcross; ++k)
#pragma GCC unroll 3
    for (int g = 0; g < G; ++g) std::memcpy(out + (k * G + g) * L, &acc[k][g], sizeof(V));
}

// What a tile's sums are added to is asked for before they are made.
BRIDLE_INLINE void ahead(const double* place) {
#if defined(__GNUC__)
  __builtin_prefetch(place, 1);
#endif
}

struct Sizes {
  index_t step, columns, from, ld;
};

template <int L>
BRIDLE_INLINE void add_rows(const double* z, index_t rows, const Sizes& size, double* out) {
  double sums[kAcross * kGroups * L];
  const index_t groups = (size.columns + L - 1) / L;
  for (index_t block = size.from / L; block < groups; block += kColumns / L) {
    const index_t end = std::min(groups, block + kColumns / L);
    for (index_t h = 0; h < end; h += kGroups)
      for (index_t g = std::max(h, block); g < end; ++g) {
        const index_t width = std::min<index_t>(kGroups, g - h + 1);
        for (index_t part = 0; part < L; part += kAcross) {
          const double *across = z + g * size.step + part, *others = z + h * size.step;
          const index_t first = g * L + part, length = std::min(width * L, size.columns - h * L);
          for (index_t k = first; k < std::min(first + kAcross, size.columns); ++k)
            for (index_t i = 0; i < length; i += 8) ahead(out + k * size.ld + h * L + i);
          if (width == 3)
            tile<L, 3>(across, others, size.step, rows, sums);
          else if (width == 2)
            tile<L, 2>(across, others, size.step, rows, sums);
          else
            tile<L, 1>(across, others, size.step, rows, sums);
          for (index_t k = std::max(first, size.from); k < std::min(first + kAcross, size.columns); ++k) {
            double* to = out + k * size.ld + h * L;
            const double* sum = sums + (k - first) * width * L;
            for (index_t i = 0; i < length; ++i) to[i] += sum[i];
          }
        }
      }
  }
}

using Add = void (*)(const double*, index_t, const Sizes&, double*);
void add_plain(const double* z, index_t rows, const Sizes& size, double* out) { add_rows<4>(z, rows, size, out); }
#if BRIDLE_HAS_CLONES
__attribute__((target("arch=x86-64-v3"))) void add_v3(const double* z, index_t rows, const Sizes& size, double* out) {
  add_rows<4>(z, rows, size, out);
}
__attribute__((target("arch=x86-64-v4"))) void add_v4(const double* z, index_t rows, const Sizes& size, double* out) {
  add_rows<8>(z, rows, size, out);
}
#endif

struct Kernel {
  Add add = add_plain;
  index_t lanes = 4;
  Kernel() {
#if BRIDLE_HAS_CLONES
    if (__builtin_cpu_supports("x86-64-v4")) {
      add = add_v4;
      lanes = 8;
    } else if (__builtin_cpu_supports("x86-64-v3")) {
      add = add_v3;
    }
#endif
  }
};

const Kernel& kernel() {
  static const Kernel chosen;
  return chosen;
}

// Four columns x[c], to[r * lanes + c] = root[r] (x[c][row r] - shift[c]) scale[c]
template <class T>
BRIDLE_INLINE void four_any(const T* const* x, const PanelRows& rows, const double* shift, const double* scale, index_t lanes,
                            double* to) {
  index_t r = 0;
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 12)
  using simd::Four;
  Four by, less, in[4];
  simd::load4(by, scale);
  simd::load4(less, shift);
  for (; !rows.order && r + 4 <= rows.count; r += 4) {
    for (int c = 0; c < 4; ++c) simd::load4(in[c], x[c] + rows.from + r);
    const Four a = __builtin_shufflevector(in[0], in[1], 0, 4, 2, 6), b = __builtin_shufflevector(in[0], in[1], 1, 5, 3, 7);
    const Four c = __builtin_shufflevector(in[2], in[3], 0, 4, 2, 6), d = __builtin_shufflevector(in[2], in[3], 1, 5, 3, 7);
    const Four out[4] = {__builtin_shufflevector(a, c, 0, 1, 4, 5), __builtin_shufflevector(b, d, 0, 1, 4, 5),
                         __builtin_shufflevector(a, c, 2, 3, 6, 7), __builtin_shufflevector(b, d, 2, 3, 6, 7)};
    for (int k = 0; k < 4; ++k) {
      const Four z = rows.root[r + k] * ((out[k] - less) * by);
      std::memcpy(to + (r + k) * lanes, &z, sizeof z);
    }
  }
#endif
  for (; r < rows.count; ++r) {
    const index_t i = rows.from + (rows.order ? rows.order[r] : r);
    for (int c = 0; c < 4; ++c)
      to[r * lanes + c] = rows.root[r] * ((static_cast<double>(x[c][i]) - shift[c]) * scale[c]);
  }
}

BRIDLE_CLONES void four(const double* const* x, const PanelRows& rows, const double* shift, const double* scale, index_t lanes,
                        double* to) {
  four_any(x, rows, shift, scale, lanes, to);
}
BRIDLE_CLONES void four(const float* const* x, const PanelRows& rows, const double* shift, const double* scale, index_t lanes,
                        double* to) {
  four_any(x, rows, shift, scale, lanes, to);
}

// A row x, to the same place of each group: the next `lanes` columns are `step` further.
template <class T>
BRIDLE_INLINE void across_any(const T* x, const index_t* list, index_t count, double root, const double* shift,
                              const double* scale, index_t lanes, index_t step, double* to) {
  for (index_t group = 0; group < count; group += lanes, to += step)
    for (index_t four = group; four < std::min(group + lanes, count); four += 4) {
      double* out = to + (four - group);
      const index_t size = std::min<index_t>(4, count - four);
      if (!list && size == 4) {
        for (int c = 0; c < 4; ++c) out[c] = root * ((static_cast<double>(x[four + c]) - shift[four + c]) * scale[four + c]);
      } else {
        for (index_t c = 0; c < size; ++c)
          out[c] = root * ((static_cast<double>(x[list ? list[four + c] : four + c]) - shift[four + c]) * scale[four + c]);
      }
    }
}

BRIDLE_CLONES void across(const double* x, const index_t* list, index_t count, double root, const double* shift,
                          const double* scale, index_t lanes, index_t step, double* to) {
  across_any(x, list, count, root, shift, scale, lanes, step, to);
}
BRIDLE_CLONES void across(const float* x, const index_t* list, index_t count, double root, const double* shift,
                          const double* scale, index_t lanes, index_t step, double* to) {
  across_any(x, list, count, root, shift, scale, lanes, step, to);
}

}  // namespace

PackedColumns::PackedColumns() : lanes_(kernel().lanes) {}

void PackedColumns::resize(index_t rows, index_t columns) {
  rows_ = rows;
  columns_ = columns;
  step_ = (rows + 1) * lanes_;  // one row more, or the groups of a row share a cache set
  data_.resize((columns + lanes_ - 1) / lanes_ * step_);
}

template <class T>
void PackedColumns::take_dense(const DenseView& view, const PanelRows& rows, const index_t* list, index_t count,
                               const double* shift, const double* scale) {
  const T* data = static_cast<const T*>(view.data);
  if (list && count > 0 && in_a_row(list, count)) {
    data += list[0] * view.column_stride;
    list = nullptr;
  }
  if (view.row_stride != 1) {
    for (index_t k = 0; k < count; k += kAtOnce)
      for (index_t r = 0; r < rows.count; ++r) {
        const T* x = data + (rows.from + (rows.order ? rows.order[r] : r)) * view.row_stride;
        across(list ? x : x + k, list ? list + k : nullptr, std::min(kAtOnce, count - k), rows.root[r], shift + k, scale + k,
               lanes_, step_, place(k) + r * lanes_);
      }
    return;
  }
  for (index_t k = 0; k < count; k += 4) {
    const T* x[4];
    double means[4], factors[4];
    for (index_t c = 0; c < 4; ++c) {  // in place of columns that aren't there any will do
      const index_t j = std::min(k + c, count - 1);
      x[c] = data + (list ? list[j] : j) * view.column_stride;
      means[c] = shift[j];
      factors[c] = scale[j];
    }
    four(x, rows, means, factors, lanes_, place(k));
  }
}

void PackedColumns::take(const Design& design, const PanelRows& rows, const index_t* list, index_t count, const double* shift,
                         const double* scale) {
  if (const DenseView* view = design.dense()) {
    view->single ? take_dense<float>(*view, rows, list, count, shift, scale)
                 : take_dense<double>(*view, rows, list, count, shift, scale);
    return;
  }
  some_.resize(rows_);
  for (index_t k = 0; k < count; ++k) {
    const index_t j = list ? list[k] : k;
    design.panel(rows.from, rows_, &j, 1, rows.root, shift + k, scale + k, some_.data());
    set(k, some_.data());
  }
}

void PackedColumns::set(index_t k, const double* z) {
  double* to = place(k);
  for (index_t r = 0; r < rows_; ++r) to[r * lanes_] = z[r];
}

void PackedColumns::add(index_t begin, index_t end, index_t from, double* out, index_t ld) const {
  const Sizes size{step_, columns_, from, ld};
  const index_t parts = (end - begin + kRows - 1) / kRows;
  for (index_t part = 0; part < parts; ++part) {
    const index_t from_row = begin + part * (end - begin) / parts, to_row = begin + (part + 1) * (end - begin) / parts;
    kernel().add(data_.data() + from_row * lanes_, to_row - from_row, size, out);
  }
}

}  // namespace bridle
