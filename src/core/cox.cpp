#include "cox.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace bridle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kOneScale = 300.0;   // span of eta within a stratum up to which e^eta keeps one scale
constexpr double kTiny = 1e-290;      // below this a share has to be known by its logarithm

// x log(x / y) - x + y, where log y is known even if y underflows
double divergence(double x, double y, double log_y) {
  if (y > kTiny) {
    double out;
    simd::divergence(&x, &y, &out, 1);
    return out;
  }
  return x > 0.0 ? x * (std::log(x) - log_y) - x + y : y;
}

// Sum of factor * count * log(x), with one logarithm for many x that have the same factor.
class LogSum {
 public:
  void add(double factor, double count, double x) {
    if (count != 1.0 || !(x > 1e-100 && x < 1e100)) {
      total_ += factor * count * std::log(x);
      return;
    }
    if (factor != factor_ || product_ < 1e-150 || product_ > 1e150) flush();
    factor_ = factor;
    product_ *= x;
  }
  double total() {
    flush();
    return total_;
  }

 private:
  void flush() {
    if (product_ != 1.0) total_ += factor_ * std::log(product_);
    product_ = 1.0;
  }
  double factor_ = 0.0, product_ = 1.0, total_ = 0.0;
};

}  // namespace

// What one call knows of each time (K,), and of each row (n,). Everything at time k is in units of e^scale[k].
struct Cox::Sums {
  std::vector<double> scale, others, own, weight;  // M; O and T; d
  std::vector<index_t> count;                      // m
  std::vector<double> all, most;  // sums over levels of 1 / level, and of (1 - l/m) / level
  // Where one scale serves a stratum: w e^(eta - scale). Else empty, and each node of the tree has two scales: the
  // largest eta of the rows that are added there, and the smallest scale of its times, which these rows don't exceed.
  std::vector<double> mass, top, low;  // (n,), (2 K,), (2 K,)
  bool narrow() const { return top.empty(); }
  double mass_at(index_t k, index_t i, const double* w, const double* eta) const {
    return narrow() ? mass[i] : w[i] * std::exp(eta[i] - scale[k]);
  }
};

Cox::Cox(const double* rows, index_t n, Ties ties)
    : n_(n), ties_(ties), first_(n), last_(n), own_(n, -1), row_stratum_(n) {
  const auto at = [rows](index_t i, int column) { return rows[4 * i + column]; };
  std::vector<index_t> order(n);
  std::iota(order.begin(), order.end(), index_t{0});
  std::sort(order.begin(), order.end(), [&](index_t i, index_t j) {
    if (at(i, 3) != at(j, 3)) return at(i, 3) < at(j, 3);
    return at(i, 1) != at(j, 1) ? at(i, 1) < at(j, 1) : i < j;
  });
  std::vector<double> time;  // (K,)
  event_start_.push_back(0);
  for (index_t from = 0; from < n; ++strata_) {
    index_t to = from;
    const index_t k0 = static_cast<index_t>(time.size());
    for (; to < n && at(order[to], 3) == at(order[from], 3); ++to) {
      const index_t i = order[to];
      row_stratum_[i] = strata_;
      if (at(i, 2) == 0.0) continue;
      if (static_cast<index_t>(time.size()) == k0 || time.back() < at(i, 1)) {
        time.push_back(at(i, 1));
        time_stratum_.push_back(strata_);
        event_start_.push_back(static_cast<index_t>(events_.size()));
      }
      own_[i] = static_cast<index_t>(time.size()) - 1;
      events_.push_back(i);
      event_start_.back() = static_cast<index_t>(events_.size());
    }
    const auto begin = time.begin() + k0;
    for (; from < to; ++from) {
      const index_t i = order[from];
      first_[i] = std::upper_bound(begin, time.end(), at(i, 0)) - time.begin();  // start < time
      last_[i] = std::upper_bound(begin, time.end(), at(i, 1)) - time.begin() - (own_[i] >= 0 ? 2 : 1);
      if (first_[i] > last_[i]) continue;
      if (first_[i] > k0)
        late_.push_back(i);
      else
        open_.push_back(i);  // in the order of time, so of last_ too
    }
  }
  times_ = static_cast<index_t>(time.size());
  std::stable_sort(open_.begin(), open_.end(), [&](index_t i, index_t j) { return last_[i] < last_[j]; });
  open_start_.assign(times_ + 1, 0);
  for (index_t i : open_) ++open_start_[last_[i] + 1];
  std::partial_sum(open_start_.begin(), open_start_.end(), open_start_.begin());
}

template <class Use>
void Cox::nodes(index_t i, Use&& use) const {
  for (index_t left = first_[i] + times_, right = last_[i] + times_ + 1; left < right; left /= 2, right /= 2) {
    if (left % 2 == 1) use(left++);
    if (right % 2 == 1) use(--right);
  }
}

void Cox::sum_up(const double* w, const double* eta, Sums& out) const {
  std::vector<double> top(strata_, -kInfinity), bottom(strata_, kInfinity);
  for (index_t i = 0; i < n_; ++i) {
    if (!(w[i] > 0.0)) continue;
    top[row_stratum_[i]] = std::max(top[row_stratum_[i]], eta[i]);
    bottom[row_stratum_[i]] = std::min(bottom[row_stratum_[i]], eta[i]);
  }
  bool narrow = true;
  for (index_t s = 0; s < strata_; ++s) narrow = narrow && !(top[s] - bottom[s] > kOneScale);
  out.scale.resize(times_);
  out.own.assign(times_, 0.0);
  out.weight.assign(times_, 0.0);
  out.count.assign(times_, 0);
  out.mass.clear();
  out.top.clear();
  for (index_t k = 0; k < times_; ++k) {
    out.scale[k] = top[time_stratum_[k]];
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e) {
      const index_t i = events_[e];
      if (!(w[i] > 0.0)) continue;
      out.weight[k] += w[i];
      ++out.count[k];
    }
  }
  if (narrow) {
    out.mass.resize(n_);
    for (index_t i = 0; i < n_; ++i) out.mass[i] = w[i] > 0.0 ? eta[i] - top[row_stratum_[i]] : 0.0;
    simd::exp(out.mass.data(), out.mass.data(), n_);
    for (index_t i = 0; i < n_; ++i) out.mass[i] = w[i] > 0.0 ? w[i] * out.mass[i] : 0.0;
  } else {
    scale_up(w, eta, out);
  }
  gather(w, eta, nullptr, out, out.others);
  for (index_t k = 0; k < times_; ++k)
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e)
      if (w[events_[e]] > 0.0) out.own[k] += out.mass_at(k, events_[e], w, eta);
}

// The largest eta at risk at each time, and the scales of the tree.
void Cox::scale_up(const double* w, const double* eta, Sums& out) const {
  out.top.assign(2 * times_, -kInfinity);
  for (index_t i = 0; i < n_; ++i)
    if (w[i] > 0.0) nodes(i, [&](index_t node) { out.top[node] = std::max(out.top[node], eta[i]); });
  out.low.assign(2 * times_, kInfinity);
  for (index_t k = 0; k < times_; ++k) {
    double& scale = out.scale[k] = -kInfinity;
    for (index_t node = times_ + k; node > 0; node /= 2) scale = std::max(scale, out.top[node]);
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e)
      if (w[events_[e]] > 0.0) scale = std::max(scale, eta[events_[e]]);
    if (out.count[k] > 0) out.low[times_ + k] = scale;
  }
  for (index_t node = times_ - 1; node > 0; --node) out.low[node] = std::min(out.low[2 * node], out.low[2 * node + 1]);
}

void Cox::gather(const double* w, const double* eta, const double* x, const Sums& sums, std::vector<double>& at) const {
  thread_local std::vector<double> tree;
  at.assign(times_, 0.0);
  if (!sums.narrow()) {
    tree.assign(2 * times_, 0.0);
    for (index_t i = 0; i < n_; ++i)
      if (w[i] > 0.0)
        nodes(i, [&](index_t node) { tree[node] += (x ? w[i] * x[i] : w[i]) * std::exp(eta[i] - sums.top[node]); });
    for (index_t k = 0; k < times_; ++k)
      for (index_t node = times_ + k; node > 0; node /= 2)
        if (tree[node] != 0.0) at[k] += tree[node] * std::exp(sums.top[node] - sums.scale[k]);
    return;
  }
  const double* mass = sums.mass.data();
  for (index_t k = times_ - 1; k >= 0; --k) {
    double sum = k + 1 < times_ && time_stratum_[k + 1] == time_stratum_[k] ? at[k + 1] : 0.0;
    for (index_t e = open_start_[k]; e < open_start_[k + 1]; ++e)
      sum += x ? mass[open_[e]] * x[open_[e]] : mass[open_[e]];
    at[k] = sum;
  }
  if (late_.empty()) return;
  tree.assign(2 * times_, 0.0);
  for (index_t i : late_) {
    const double part = x ? mass[i] * x[i] : mass[i];
    if (part != 0.0) nodes(i, [&](index_t node) { tree[node] += part; });
  }
  for (index_t node = 1; node < times_; ++node) {
    tree[2 * node] += tree[node];
    tree[2 * node + 1] += tree[node];
  }
  for (index_t k = 0; k < times_; ++k) at[k] += tree[times_ + k];
}

template <class Use>
void Cox::spread(const double* w, const double* eta, const Sums& sums, const std::vector<double>& rate,
                 Use&& use) const {
  thread_local std::vector<double> tree;
  if (!sums.narrow() || !late_.empty()) {
    tree.resize(2 * times_);
    std::copy(rate.begin(), rate.end(), tree.begin() + times_);
  }
  if (!sums.narrow()) {
    for (index_t node = times_ - 1; node > 0; --node) {
      tree[node] = 0.0;
      for (index_t child : {2 * node, 2 * node + 1})
        if (tree[child] != 0.0) tree[node] += tree[child] * std::exp(sums.low[node] - sums.low[child]);
    }
    for (index_t i = 0; i < n_; ++i) {
      if (!(w[i] > 0.0)) continue;
      double sum = 0.0;
      nodes(i, [&](index_t node) {
        if (tree[node] != 0.0) sum += tree[node] * std::exp(eta[i] - sums.low[node]);
      });
      use(i, w[i] * sum);
    }
    return;
  }
  if (!late_.empty()) {
    for (index_t node = times_ - 1; node > 0; --node) tree[node] = tree[2 * node] + tree[2 * node + 1];
    for (index_t i : late_) {
      if (!(sums.mass[i] > 0.0)) continue;
      double sum = 0.0;
      nodes(i, [&](index_t node) { sum += tree[node]; });
      use(i, sums.mass[i] * sum);
    }
  }
  double sum = 0.0;
  for (index_t k = 0; k < times_; ++k) {
    sum = (k > 0 && time_stratum_[k - 1] == time_stratum_[k] ? sum : 0.0) + rate[k];
    for (index_t e = open_start_[k]; e < open_start_[k + 1]; ++e) use(open_[e], sums.mass[open_[e]] * sum);
  }
}

// Levels of time k, one after the other, as (1 - l/m, O + (1 - l/m) T, its weight among the levels)
template <class Use>
static void levels(Ties ties, double others, double own, index_t m, Use&& use) {
  if (m == 0) return;  // no event has a weight, and perhaps nobody at risk
  if (ties == Ties::breslow) {
    use(1.0, others + own, static_cast<double>(m));
    return;
  }
  for (index_t l = 0; l < m; ++l) {
    const double share = static_cast<double>(m - l) / static_cast<double>(m);
    use(share, others + share * own, 1.0);
  }
}

void Cox::hazards(Sums& sums) const {
  sums.all.assign(times_, 0.0);
  sums.most.assign(times_, 0.0);
  for (index_t k = 0; k < times_; ++k)
    levels(ties_, sums.others[k], sums.own[k], sums.count[k], [&](double share, double level, double count) {
      sums.all[k] += count / level;
      sums.most[k] += count * share / level;
    });
}

double Cox::value(const double*, const double* w, const double* eta, index_t) const {
  thread_local Sums sums;
  sum_up(w, eta, sums);
  LogSum logs;
  double linear = 0.0;
  for (index_t k = 0; k < times_; ++k) {
    if (sums.count[k] == 0) continue;
    const double mean = sums.weight[k] / static_cast<double>(sums.count[k]);
    levels(ties_, sums.others[k], sums.own[k], sums.count[k],
           [&](double, double level, double count) { logs.add(mean, count, level); });
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e)
      if (w[events_[e]] > 0.0) linear += w[events_[e]] * (eta[events_[e]] - sums.scale[k]);
  }
  return logs.total() - linear;
}

void Cox::derivatives(const double*, const double* w, const double* eta, index_t, double* residual,
                      double* curvature) const {
  thread_local Sums sums;
  sum_up(w, eta, sums);
  hazards(sums);
  std::vector<double>& rate = sums.all;  // becomes d/m sum 1 / level, as far as others need it
  // 1. Events: w (1 - e^eta d/m sum (1 - l/m) / level), without cancellation where they hold nearly all of the mass.
  std::fill_n(residual, n_, 0.0);
  std::fill_n(curvature, n_, 0.0);
  for (index_t k = 0; k < times_; ++k) {
    if (sums.count[k] == 0) continue;
    const double m = static_cast<double>(sums.count[k]);
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e) {
      const index_t i = events_[e];
      if (!(w[i] > 0.0)) continue;
      const double mass = sums.mass_at(k, i, w, eta);
      const double above = sums.count[k] == 1 ? 0.0 : sums.own[k] - mass / w[i] * sums.weight[k];
      residual[i] = w[i] / m * (sums.others[k] * sums.all[k] + above * sums.most[k]);
      curvature[i] = mass * sums.weight[k] / m * sums.most[k];
    }
    rate[k] *= sums.weight[k] / m;
  }
  // 2. The others at risk: w e^eta sum_k rate_k.
  spread(w, eta, sums, rate, [&](index_t i, double part) {
    residual[i] -= part;
    curvature[i] += part;
  });
}

// H x = W x - sum over times and levels of d/m xbar p, p the shares at risk and xbar their mean of x.
class Cox::Second final : public Curvature {
 public:
  Second(const Cox& cox, const double* w, const double* eta)
      : cox_(cox), w_(w, w + cox.n_), eta_(eta, eta + cox.n_), diagonal_(cox.n_) {
    std::vector<double> residual(cox.n_);
    cox.derivatives(nullptr, w, eta, cox.n_, residual.data(), diagonal_.data());
    cox.sum_up(w, eta, sums_);
    event_.assign(cox.events_.size(), 0.0);
    for (auto* v : {&inverse_, &others_, &mixed_, &own_}) v->assign(cox.times_, 0.0);
    for (index_t k = 0; k < cox.times_; ++k) {
      if (sums_.count[k] == 0) continue;
      const double full = sums_.others[k] + sums_.own[k];
      const double rate = sums_.weight[k] / static_cast<double>(sums_.count[k]) / full;
      inverse_[k] = 1.0 / full;
      for (index_t e = cox.event_start_[k]; e < cox.event_start_[k + 1]; ++e)
        if (w[cox.events_[e]] > 0.0) event_[e] = sums_.mass_at(k, cox.events_[e], w, eta);
      levels(cox.ties_, sums_.others[k], sums_.own[k], sums_.count[k], [&](double share, double level, double count) {
        const double ratio = full / level, part = count * rate * ratio * ratio;
        others_[k] += part;
        mixed_[k] += share * part;
        own_[k] += share * share * part;
      });
    }
  }

  void times(const double* x, double* out) const override {
    thread_local std::vector<double> at;
    const double *w = w_.data(), *eta = eta_.data();
    for (index_t i = 0; i < cox_.n_; ++i) out[i] = diagonal_[i] * x[i];
    cox_.gather(w, eta, x, sums_, at);
    for (index_t k = 0; k < cox_.times_; ++k) {
      if (sums_.count[k] == 0) {
        at[k] = 0.0;
        continue;
      }
      const index_t from = cox_.event_start_[k], to = cox_.event_start_[k + 1];
      double own = 0.0;
      for (index_t e = from; e < to; ++e) own += event_[e] * x[cox_.events_[e]];
      own *= inverse_[k];
      const double others = at[k] * inverse_[k], back = mixed_[k] * others + own_[k] * own;
      for (index_t e = from; e < to; ++e) out[cox_.events_[e]] -= event_[e] * back;
      at[k] = others_[k] * others + mixed_[k] * own;
    }
    cox_.spread(w, eta, sums_, at, [&](index_t i, double sum) { out[i] -= sum; });
  }

 private:
  const Cox& cox_;
  Sums sums_;
  std::vector<double> w_, eta_, diagonal_;              // (n,)
  std::vector<double> event_;                           // w e^eta of each event, in units of its time
  std::vector<double> inverse_, others_, mixed_, own_;  // (K,) 1 / (O + T); d/m sum of 1, share, share^2 over level^2
};

std::unique_ptr<Curvature> Cox::second(const double* w, const double* eta, index_t) const {
  return std::make_unique<Second>(*this, w, eta);
}

void Cox::increments(const double* w, const double* eta, std::vector<double>& hazard,
                     std::vector<double>& scale) const {
  Sums sums;
  sum_up(w, eta, sums);
  hazards(sums);
  for (index_t k = 0; k < times_; ++k)
    sums.all[k] *= sums.count[k] > 0 ? sums.weight[k] / static_cast<double>(sums.count[k]) : 0.0;
  hazard = std::move(sums.all);
  scale = std::move(sums.scale);
}

double Cox::saturated(const double*, const double* w, index_t) const {
  double total = 0.0;
  for (index_t k = 0; k < times_; ++k) {
    double weight = 0.0, count = 0.0;
    for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e) {
      weight += w[events_[e]];
      count += w[events_[e]] > 0.0;
    }
    if (count == 0.0) continue;
    total += weight * std::log(weight);
    if (ties_ == Ties::efron) total += weight / count * (std::lgamma(count + 1.0) - count * std::log(count));
  }
  return total;
}

// log sum of w e^eta over the events at time k, however small
double Cox::log_mass(const double* w, const double* eta, index_t k) const {
  double top = -kInfinity, sum = 0.0;
  for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e)
    if (w[events_[e]] > 0.0) top = std::max(top, eta[events_[e]]);
  for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e)
    if (w[events_[e]] > 0.0) sum += w[events_[e]] * std::exp(eta[events_[e]] - top);
  return top + std::log(sum);
}

double Cox::scaling_gap(const double*, const double* w, const double* eta, index_t, double s) const {
  thread_local Sums sums;
  sum_up(w, eta, sums);
  const double shrunk = divergence(s, 1.0, 0.0);
  double total = 0.0;
  for (index_t k = 0; k < times_; ++k) {
    if (sums.count[k] == 0) continue;
    const double m = static_cast<double>(sums.count[k]), log_own = log_mass(w, eta, k) - sums.scale[k];
    double gap = 0.0, before = 0.0;  // before: the events' share, summed over levels
    levels(ties_, sums.others[k], sums.own[k], sums.count[k], [&](double share, double level, double count) {
      const double mine = share * sums.own[k] / level;
      before += count * mine;
      gap += count * (sums.others[k] / level * shrunk +
                      divergence(s * mine + (1.0 - s), mine, std::log(share) + log_own - std::log(level)));
    });
    const double after = s * before + (1.0 - s) * m;
    if (sums.count[k] > 1 && after > 0.0) {
      double apart = 0.0;
      for (index_t e = event_start_[k]; e < event_start_[k + 1]; ++e) {
        const index_t i = events_[e];
        if (!(w[i] > 0.0)) continue;
        const double log_part = std::log(w[i]) + eta[i] - sums.scale[k] - log_own, part = std::exp(log_part);
        apart += divergence((s * before * part + (1.0 - s) * m * w[i] / sums.weight[k]) / after, part, log_part);
      }
      gap += after * apart;
    }
    total += sums.weight[k] / m * gap;
  }
  return total;
}

}  // namespace bridle
