#include "gram_space.hpp"

#include <cmath>

namespace bridle {

GramSpace::GramSpace(const Summary& sums, const std::vector<index_t>& list, const double* scale, bool intercept)
    : matrix(list.size() * list.size()), slope(list.size()), size(list.size()), shift(list.size()) {
  const size_t k = list.size();
  const double y = sums.y_mean + sums.start;  // without an intercept means count
  for (size_t a = 0; a < k; ++a) {
    const index_t j = list[a];
    const double s = 1.0 / scale[j], mean = intercept ? 0.0 : sums.mean[j];
    const double* from = sums.covariance.data() + j * sums.p;
    for (size_t b = 0; b < k; ++b) {
      const index_t i = list[b];
      matrix[a * k + b] = (from[i] + (intercept ? 0.0 : mean * sums.mean[i])) * s / scale[i];
    }
    slope[a] = (sums.slope[j] + mean * y) * s;
    size[a] = std::hypot(sums.rms[j], mean) * s;
    shift[a] = intercept ? sums.mean[j] : 0.0;
  }
  loss = 0.5 * (sums.y_variance + (intercept ? 0.0 : y * y));
}

}  // namespace bridle
