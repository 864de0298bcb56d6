#include "lockstep.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <thread>

namespace bridle {
namespace {

constexpr double kReach = 4.0;     // largest ratio of neighbouring lambdas that is crossed in one go
constexpr double kPassing = 1e-3;  // tolerance at lambdas that are only passed on the way
constexpr double kShare = 0.2;     // of the entries, from which on reading all of them for everyone costs less
constexpr index_t kBlock = 256;    // columns that a thread reads at a time

// Calls work(i) for i < count on some threads; false if memory ran out.
bool side_by_side(int threads, index_t count, const std::function<void(index_t)>& work) {
  std::atomic<index_t> next{0};
  std::atomic<bool> failed{false};
  const auto run = [&] {
    try {
      for (index_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      failed = true;
    }
  };
  std::vector<std::thread> crew;
  try {
    for (index_t t = 1; t < std::min<index_t>(threads, count); ++t) crew.emplace_back(run);
  } catch (...) {  // fewer threads do as well
  }
  run();
  for (std::thread& thread : crew) thread.join();
  return !failed;
}

// Reads what walks have asked for, each column once.
class Reader {
 public:
  Reader(const Design& design, int threads) : design_(design), threads_(threads) {}

  // Whether walks that wait want so many different columns that reading all, for references to everyone, costs less.
  bool nearly_all(const std::vector<Walk*>& waiting) {
    wanted_.assign(design_.columns(), 0);
    for (Walk* walk : waiting) {
      if (walk->solver().request().all) return true;
      for (index_t j : walk->solver().request().columns) wanted_[j] = 1;
    }
    double entries = 0.0, all = 0.0;
    for (index_t j = 0; j < design_.columns(); ++j) {
      all += static_cast<double>(design_.stored(j));
      if (wanted_[j]) entries += static_cast<double>(design_.stored(j));
    }
    return entries > kShare * all;
  }

  // All walks read the whole matrix, those too that haven't asked: a reference now spares them columns later.
  bool read_all(const std::vector<Walk*>& all) {
    const index_t p = design_.columns(), blocks = (p + kBlock - 1) / kBlock;
    std::vector<const double*> vectors;
    for (Walk* walk : all) vectors.push_back(walk->solver().residual());
    products_.resize(all.size() * p);
    if (!side_by_side(threads_, blocks, [&](index_t b) {
          design_.block_dots(b * kBlock, std::min(p, (b + 1) * kBlock), vectors, products_.data());
        }))
      return false;
    return side_by_side(threads_, static_cast<index_t>(all.size()),
                        [&](index_t i) { all[i]->solver().receive_all(products_.data() + i * p); });
  }

  // Some columns for each.
  bool read_some(const std::vector<Walk*>& waiting) {
    struct Wanted {
      index_t column, walk, place;
    };
    std::vector<Wanted> wanted;
    std::vector<std::vector<double>> products(waiting.size());
    for (size_t i = 0; i < waiting.size(); ++i) {
      const std::vector<index_t>& columns = waiting[i]->solver().request().columns;
      products[i].resize(columns.size());
      if (!design_.by_columns()) continue;
      for (size_t k = 0; k < columns.size(); ++k)
        wanted.push_back({columns[k], static_cast<index_t>(i), static_cast<index_t>(k)});
    }
    std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) {
      return a.column != b.column ? a.column < b.column : a.walk < b.walk;
    });
    std::vector<index_t> starts;  // of each column's group
    for (size_t k = 0; k < wanted.size(); ++k)
      if (k == 0 || wanted[k].column != wanted[k - 1].column) starts.push_back(static_cast<index_t>(k));
    const index_t count = static_cast<index_t>(starts.size()), blocks = (count + kBlock - 1) / kBlock;
    starts.push_back(static_cast<index_t>(wanted.size()));
    const bool read = side_by_side(threads_, blocks, [&](index_t b) {
      std::vector<const double*> vectors(waiting.size());
      std::vector<double> out(waiting.size());
      for (index_t g = b * kBlock; g < std::min(count, (b + 1) * kBlock); ++g) {
        const Wanted* group = wanted.data() + starts[g];
        const index_t size = starts[g + 1] - starts[g];
        for (index_t k = 0; k < size; ++k) vectors[k] = waiting[group[k].walk]->solver().residual();
        design_.column_dots(group->column, vectors.data(), size, out.data());
        for (index_t k = 0; k < size; ++k) products[group[k].walk][group[k].place] = out[k];
      }
    });
    return read && side_by_side(threads_, static_cast<index_t>(waiting.size()), [&](index_t i) {
             Solver& solver = waiting[i]->solver();
             const std::vector<index_t>& columns = solver.request().columns;
             if (!design_.by_columns())
               design_.dots(columns.data(), static_cast<index_t>(columns.size()), solver.residual(),
                            products[i].data());
             solver.receive(products[i].data());
           });
  }

 private:
  const Design& design_;
  const int threads_;
  std::vector<double> products_;
  std::vector<char> wanted_;
};

}  // namespace

Walk::Walk(const Problem& problem, const double* lambdas, index_t count, const Settings& settings)
    : lambdas_(lambdas), count_(count), tol_(settings.tol), solver_(problem, settings), from_(solver_.first_lambda()) {
  result_.starts.push_back(0);
}

void Walk::take_over(const GramPath& path, PathResult so_far, index_t next) {
  result_ = std::move(so_far);
  at_ = next - 1;
  from_ = lambdas_[next];
  solver_.resume(from_, path.features(), path.beta(), path.gram(), path.intercept());
}

// A cold start meets signs that change again and again; a few lambdas in between keep most of them right.
bool Walk::next() {
  if (++at_ == count_) return false;
  solver_.new_budget();
  ratio_ = lambdas_[at_] > 0.0 ? from_ / lambdas_[at_] : 1.0;
  between_ = ratio_ > kReach ? static_cast<int>(std::log(ratio_) / std::log(kReach)) : 0;
  step_ = 0;
  return true;
}

bool Walk::advance() {
  while (true) {
    if (step_ > 0 && solver_.advance()) return true;
    if (interrupted()) return false;
    if (step_ > between_) break;
    ++step_;
    if (step_ > between_)
      solver_.start(lambdas_[at_], tol_);
    else
      solver_.start(from_ * std::pow(ratio_, -static_cast<double>(step_) / (between_ + 1)), std::max(kPassing, tol_));
  }
  from_ = lambdas_[at_];
  solver_.record(result_);
  return false;
}

namespace {

// All walks at each lambda from number `first` on.
Status march(std::vector<std::unique_ptr<Walk>>& walks, index_t first, index_t count, const Design& design,
             const Settings& settings, int threads) {
  Reader reader(design, threads);
  for (index_t l = first; l < count; ++l) {
    std::vector<Walk*> busy, everyone;
    for (auto& walk : walks) {
      walk->next();
      busy.push_back(walk.get());
      everyone.push_back(walk.get());
    }
    while (true) {
      std::vector<char> waits(busy.size());
      if (!side_by_side(threads, static_cast<index_t>(busy.size()), [&](index_t i) { waits[i] = busy[i]->advance(); }))
        return Status::out_of_memory;
      std::vector<Walk*> waiting;
      for (size_t i = 0; i < busy.size(); ++i) {
        if (busy[i]->interrupted()) return Status::interrupted;
        if (!waits[i]) continue;
        waiting.push_back(busy[i]);
      }
      if (walks.size() > 1 && settings.interrupted && settings.interrupted(settings.context)) return Status::interrupted;
      busy.swap(waiting);
      if (busy.empty()) break;
      const bool read = reader.nearly_all(busy) ? reader.read_all(everyone) : reader.read_some(busy);
      if (!read) return Status::out_of_memory;
    }
  }
  return Status::converged;
}

// One problem in the space of covariances, and on its rows from the lambda on at which these have to be asked.
Status solve_summarised(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                        PathResult& result) {
  GramPath path(problem, settings);
  result.starts.push_back(0);
  index_t l = 0;
  for (; l < count && lambdas[l] > 0.0; ++l) {  // at 0 no penalty forgives rounding: refine on the rows
    const Status status = path.solve(lambdas[l]);
    if (status == Status::interrupted) return status;
    if (status == Status::rounding) break;
    path.record(status, result);
  }
  if (l == count) return Status::converged;
  if (!problem.design) return Status::rounding;
  std::vector<std::unique_ptr<Walk>> walks;
  walks.push_back(std::make_unique<Walk>(problem, lambdas, count, settings));
  walks[0]->take_over(path, std::move(result), l);
  const Status status = march(walks, l, count, *problem.design, settings, 1);
  result = std::move(walks[0]->result());
  return status;
}

}  // namespace

Status solve_path(const Problem& problem, const double* lambdas, index_t count, const Settings& settings,
                  PathResult& result) {
  std::vector<PathResult> results;
  const Status status = solve_paths({problem}, lambdas, count, settings, 1, results);
  if (!results.empty()) result = std::move(results[0]);
  return status;
}

Status solve_paths(const std::vector<Problem>& problems, const double* lambdas, index_t count, const Settings& settings,
                   int threads, std::vector<PathResult>& results) {
  Settings quiet = settings;  // only the calling thread may ask the caller
  if (problems.size() > 1) quiet.interrupted = nullptr;
  try {
    if (problems.size() == 1 && problems[0].summary) {
      results.emplace_back();
      return solve_summarised(problems[0], lambdas, count, settings, results[0]);
    }
    const index_t size = static_cast<index_t>(problems.size());
    std::vector<std::unique_ptr<Walk>> walks(size);
    if (!side_by_side(threads, size, [&](index_t i) {
          walks[i] = std::make_unique<Walk>(problems[i], lambdas, count, quiet);
        }))
      return Status::out_of_memory;
    const Status status = march(walks, 0, count, *problems[0].design, settings, threads);
    if (status != Status::converged) return status;
    for (auto& walk : walks) results.push_back(std::move(walk->result()));
    return status;
  } catch (...) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
