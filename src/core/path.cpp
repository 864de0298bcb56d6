#include "path.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include "penalty.hpp"

namespace bridle {
namespace {

class Solver {
 public:
  Solver(const Problem& problem, const Settings& settings)
      : in_(problem), set_(settings), loss_(make_loss(problem.family)), n_(problem.design->rows()) {
    for (index_t j = 0; j < in_.design->columns(); ++j)
      if (std::isfinite(in_.factor[j])) list_.push_back(j);
    k_ = static_cast<index_t>(list_.size());
    beta_.assign(k_, 0.0);
    slope_.resize(k_);
    terms_.resize(k_);
    inverse_.resize(k_);
    shift_.resize(k_);
    for (index_t k = 0; k < k_; ++k) inverse_[k] = 1.0 / in_.scale[list_[k]];
    b0_ = in_.start;
    eta_.resize(n_);
    for (index_t i = 0; i < n_; ++i) eta_[i] = in_.offset[i] + b0_;
    residual_.resize(n_);
    curvature_.resize(n_);
    base_ = 0.0;
  }

  Status run(const double* lambdas, index_t count, PathResult& result) {
    result.starts.push_back(0);
    for (index_t l = 0; l < count; ++l) {
      set_terms(lambdas[l]);
      const Status status = solve();
      record(status, result);
      if (status == Status::interrupted) return status;
    }
    return Status::converged;
  }

 private:
  void set_terms(double lam) {
    for (index_t k = 0; k < k_; ++k) {
      const index_t j = list_[k];
      terms_[k].l1 = lam * in_.factor[j] * in_.l1_ratio;
      terms_[k].ridge = lam * in_.factor[j] * (1.0 - in_.l1_ratio);
      terms_[k].lower = in_.lower[j] * in_.scale[j];
      terms_[k].upper = in_.upper[j] * in_.scale[j];
    }
  }

  void derivatives() {
    loss_->derivatives(in_.y, in_.w, eta_.data(), n_, residual_.data(), curvature_.data());
    if (in_.intercept) {
      for (int step = 0; step < 50; ++step) {
        const double r = simd::sum(residual_.data(), n_), h = simd::sum(curvature_.data(), n_);
        if (!(h > 0.0) || std::abs(r) <= 1e-15) break;
        const double move = std::max(-2.0, std::min(2.0, r / h));
        if (std::abs(move) <= 1e-16 * (1.0 + std::abs(b0_))) break;
        b0_ += move;
        for (index_t i = 0; i < n_; ++i) eta_[i] += move;
        loss_->derivatives(in_.y, in_.w, eta_.data(), n_, residual_.data(), curvature_.data());
      }
    }
    in_.design->dots(list_.data(), k_, residual_.data(), slope_.data());
    const double total = simd::sum(residual_.data(), n_);
    for (index_t k = 0; k < k_; ++k) slope_[k] = (slope_[k] - in_.centre[list_[k]] * total) * inverse_[k];
  }

  double gap() {
    double scale = 1.0;
    double one = 0.0, scaled = 0.0;
    for (index_t k = 0; k < k_; ++k) {
      const Term& t = terms_[k];
      const bool free_side = std::isinf(slope_[k] > 0.0 ? t.upper : t.lower);
      if (t.l1 > 0.0 && free_side && std::abs(slope_[k]) > t.l1) scale = std::min(scale, t.l1 / std::abs(slope_[k]));
    }
    for (index_t k = 0; k < k_; ++k) {
      const Term& t = terms_[k];
      const double b = beta_[k], z = slope_[k];
      if (t.l1 == 0.0 && t.ridge == 0.0 && std::isinf(z > 0.0 ? t.upper : t.lower)) {
        const double cost = std::abs(b * z) + z * z / simd::sum(curvature_.data(), n_);
        one += cost;
        scaled += cost;
        continue;
      }
      one += t.value(b) + t.conjugate(z) - z * b;
      scaled += t.value(b) + t.conjugate(scale * z * (1.0 - 1e-16)) - scale * z * b;
    }
    if (scale < 1.0) {
      scaled += loss_->scaling_gap(in_.y, in_.w, eta_.data(), n_, scale);
      return std::min(one, scaled);
    }
    return one;
  }

  double objective(const double* eta, const std::vector<double>& beta) {
    double total = loss_->value(in_.y, in_.w, eta, n_);
    for (index_t k = 0; k < k_; ++k) total += terms_[k].value(beta[k]);
    return total;
  }

  void build_gram() {
    if (!gram_.empty() && loss_->quadratic()) return;
    gram_.assign(k_ * k_, 0.0);
    std::vector<double> panel(256 * k_), root(256);
    const double total = simd::sum(curvature_.data(), n_);
    in_.design->dots(list_.data(), k_, curvature_.data(), shift_.data());
    for (index_t k = 0; k < k_; ++k) shift_[k] = in_.intercept ? shift_[k] / total : 0.0;
    for (index_t from = 0; from < n_; from += 256) {
      const index_t size = std::min<index_t>(256, n_ - from);
      for (index_t i = 0; i < size; ++i) root[i] = std::sqrt(curvature_[from + i]);
      in_.design->panel(from, size, list_.data(), k_, root.data(), shift_.data(), inverse_.data(), panel.data());
      for (index_t a = 0; a < k_; ++a)
        for (index_t b = 0; b <= a; ++b)
          gram_[a * k_ + b] += simd::dot(panel.data() + a * size, panel.data() + b * size, size);
    }
    for (index_t a = 0; a < k_; ++a)
      for (index_t b = 0; b < a; ++b) gram_[b * k_ + a] = gram_[a * k_ + b];
  }

  Status solve() {
    n_iter_ = 0;
    double inner = 1e-4 * set_.tol;
    double last = std::numeric_limits<double>::infinity();
    for (int step = 0;; ++step) {
      if (set_.interrupted && set_.interrupted(set_.context)) return Status::interrupted;
      derivatives();
      gap_ = gap();
      if (gap_ <= 0.9 * set_.tol * in_.reference) return Status::converged;
      if (n_iter_ >= set_.max_iter) return Status::max_iter;
      if (step > 500) return Status::stalled;
      if (gap_ > 0.5 * last) inner = std::max(1e-22, inner * 0.01);
      last = gap_;
      build_gram();
      std::vector<double> old = beta_, slope = slope_;
      while (n_iter_ < set_.max_iter) {
        ++n_iter_;
        double largest = 0.0;
        for (index_t k = 0; k < k_; ++k) {
          const double h = gram_[k * k_ + k];
          if (!(h + terms_[k].ridge > 0.0)) continue;
          const double b = terms_[k].minimiser(beta_[k], slope[k], h);
          const double move = b - beta_[k];
          if (move == 0.0) continue;
          beta_[k] = b;
          simd::axpy(-move, gram_.data() + k * k_, slope.data(), k_);
          largest = std::max(largest, h * move * move);
        }
        if (largest <= inner * in_.reference) break;
      }
      take_step(old);
    }
  }

  void take_step(const std::vector<double>& old) {
    std::vector<double> direction(n_, 0.0), coef(k_), trial(n_), goal = beta_;
    double constant = 0.0;
    for (index_t k = 0; k < k_; ++k) {
      coef[k] = (goal[k] - old[k]) * inverse_[k];
      constant -= coef[k] * shift_[k];
    }
    in_.design->add(list_.data(), k_, coef.data(), direction.data());
    for (index_t i = 0; i < n_; ++i) direction[i] += constant;
    const double before = objective(eta_.data(), old);
    double t = 1.0;
    for (int halving = 0; halving < 40; ++halving, t *= 0.5) {
      for (index_t i = 0; i < n_; ++i) trial[i] = eta_[i] + t * direction[i];
      for (index_t k = 0; k < k_; ++k) beta_[k] = old[k] + t * (goal[k] - old[k]);
      if (objective(trial.data(), beta_) <= before + 1e-14 * std::abs(before)) break;
    }
    eta_ = trial;
    b0_ += t * constant;
  }

  void record(Status status, PathResult& out) {
    double worst = 0.0;
    for (index_t k = 0; k < k_; ++k) {
      worst = std::max(worst, terms_[k].violation(beta_[k], slope_[k]));
      if (beta_[k] == 0.0) continue;
      out.columns.push_back(list_[k]);
      out.values.push_back(beta_[k] * inverse_[k]);
    }
    out.starts.push_back(static_cast<index_t>(out.columns.size()));
    out.intercept.push_back(b0_);
    out.gap.push_back(std::max(0.0, gap_));
    out.kkt.push_back(worst);
    out.loss.push_back(loss_->value(in_.y, in_.w, eta_.data(), n_));
    out.status.push_back(static_cast<int>(status));
    out.n_iter.push_back(n_iter_);
  }

  const Problem& in_;
  const Settings& set_;
  std::unique_ptr<Loss> loss_;
  index_t n_, k_ = 0, n_iter_ = 0;
  std::vector<index_t> list_;
  std::vector<Term> terms_;
  std::vector<double> beta_, slope_, inverse_, shift_, gram_, eta_, residual_, curvature_;
  double b0_ = 0.0, gap_ = 0.0, base_ = 0.0;
};

}  // namespace

Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result) {
  try {
    return Solver(problem, settings).run(lambdas, count, result);
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
