#include "concordance.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace bridle {
namespace {

// Sums of weights by rank (Fenwick 1994).
class Ranks {
 public:
  explicit Ranks(index_t size) : sums_(size + 1, 0.0) {}
  void add(index_t rank, double weight) {
    for (index_t k = rank + 1; k < static_cast<index_t>(sums_.size()); k += k & -k) sums_[k] += weight;
  }
  double below(index_t rank) const {
    double sum = 0.0;
    for (index_t k = rank; k > 0; k -= k & -k) sum += sums_[k];
    return sum;
  }

 private:
  std::vector<double> sums_;
};

}  // namespace

Concordance concordance(const double* rows, const index_t* rank, const double* w, index_t n, index_t ranks) {
  const auto start = [rows](index_t i) { return rows[4 * i]; };
  const auto time = [rows](index_t i) { return rows[4 * i + 1]; };
  const auto event = [rows](index_t i) { return rows[4 * i + 2] != 0.0; };
  const auto stratum = [rows](index_t i) { return rows[4 * i + 3]; };
  std::vector<index_t> leaving(n);  // by stratum, the latest first
  std::iota(leaving.begin(), leaving.end(), index_t{0});
  std::vector<index_t> entering = leaving;
  std::sort(leaving.begin(), leaving.end(), [&](index_t i, index_t j) {
    return stratum(i) != stratum(j) ? stratum(i) < stratum(j) : time(i) > time(j);
  });
  std::sort(entering.begin(), entering.end(), [&](index_t i, index_t j) {
    return stratum(i) != stratum(j) ? stratum(i) < stratum(j) : start(i) > start(j);
  });
  Concordance out;
  Ranks there(ranks);
  double total = 0.0;
  const auto move = [&](index_t i, double sign) {
    there.add(rank[i], sign * w[i]);
    total += sign * w[i];
  };
  for (index_t from = 0; from < n;) {
    index_t to = from, enters = from, left = from;
    while (to < n && stratum(leaving[to]) == stratum(leaving[from])) ++to;
    while (left < to) {  // rows that leave at one time
      const double t = time(leaving[left]);
      index_t next = left;
      for (; next < to && time(leaving[next]) == t; ++next)
        if (!event(leaving[next])) move(leaving[next], 1.0);
      for (; enters < to && start(entering[enters]) >= t; ++enters) move(entering[enters], -1.0);
      for (index_t e = left; e < next; ++e) {
        const index_t i = leaving[e];
        if (!event(i)) continue;
        const double below = there.below(rank[i]);
        out.below += w[i] * below;
        out.tied += w[i] * (there.below(rank[i] + 1) - below);
        out.all += w[i] * total;
      }
      for (index_t e = left; e < next; ++e)
        if (event(leaving[e])) move(leaving[e], 1.0);
      left = next;
    }
    for (; enters < to; ++enters) move(entering[enters], -1.0);  // those that were there from the beginning
    from = to;
  }
  return out;
}

}  // namespace bridle
