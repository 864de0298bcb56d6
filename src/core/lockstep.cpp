#include "lockstep.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include "crew.hpp"
#include "passes.hpp"
#include "shared_gram.hpp"

namespace bridle {
namespace {

constexpr double kReach = 4.0;     // largest ratio of neighbouring lambdas that is crossed in one go
constexpr double kPassing = 1e-3;  // tolerance at lambdas that are only passed on the way
constexpr double kShare = 0.2;     // of the entries, from which on reading all of them for everyone costs less
constexpr index_t kBlock = 256;    // columns that a thread reads at a time
constexpr index_t kSparseBlocks = 16;  // of sparse columns: each lays out the vectors anew
constexpr index_t kWishes = 2;     // newer weights are made for this part of the folds
constexpr index_t kTall = 4;       // rows for each column, from which on folds' matrices are much alike

// Reads what walks have asked for, each column once.
class Reader {
 public:
  Reader(const Problem& problem, int threads)
      : design_(*problem.design),
        threads_(threads),
        tall_(!design_.sparse() && design_.rows() >= kTall * design_.columns()),
        alike_(tall_ && !problem.loss->coupled()),
        shared_(design_, problem.intercept) {}

  // Answers those who need what others need too, in an order that keeps all in step: matrices, then steps, then
  // products. They are moved from waiting to answered; false if memory ran out.
  bool answer(std::vector<Walk*>& waiting, std::vector<Walk*>& answered, const std::vector<Walk*>& everyone) {
    using Need = Solver::Need;
    const auto take = [&](auto&& wanted) {
      const auto rest = std::stable_partition(waiting.begin(), waiting.end(),
                                              [&](Walk* walk) { return !wanted(walk->solver().request().need); });
      answered.assign(rest, waiting.end());
      waiting.erase(rest, waiting.end());
      return !answered.empty();
    };
    if (take([](Need need) { return need == Need::gram; })) return make_grams(answered, everyone);
    if (take([](Need need) { return need == Need::step; })) return step(answered);
    if (take([&](Need need) { return tall_ || need == Need::inside; })) return read_blocks(answered);
    take([](Need) { return true; });
    return nearly_all(answered) ? read_all(everyone) : read_some(answered);
  }

 private:
  // Whether walks that wait want so many different columns that reading all, for references to everyone, costs less.
  bool nearly_all(const std::vector<Walk*>& waiting) {
    if (waiting.size() == 1) return waiting[0]->solver().request().all;
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
    const index_t p = design_.columns(), block = design_.sparse() ? std::max(kBlock, p / kSparseBlocks) : kBlock;
    const index_t blocks = (p + block - 1) / block;
    std::vector<const double*> vectors;
    for (Walk* walk : all) vectors.push_back(walk->solver().residual());
    products_.resize(all.size() * p);
    if (!side_by_side(threads_, blocks, [&](index_t b) {
          design_.block_dots(b * block, std::min(p, (b + 1) * block), vectors, products_.data());
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

  // Products of the columns asked for with the residuals.
  bool read_blocks(const std::vector<Walk*>& waiting) {
    std::vector<std::vector<double>> products(waiting.size());
    std::vector<PassDots> wanted;
    for (size_t i = 0; i < waiting.size(); ++i) {
      Solver& solver = waiting[i]->solver();
      products[i].resize(solver.request().columns.size());
      wanted.push_back({&solver.request().columns, solver.residual(), products[i].data()});
    }
    return pass_dots(design_, wanted, threads_) &&
           side_by_side(threads_, static_cast<index_t>(waiting.size()),
                        [&](index_t i) { waiting[i]->solver().receive(products[i].data()); });
  }

  // One matrix for all where there are rows enough for it to suit all; new weights where the newest don't do.
  bool make_grams(const std::vector<Walk*>& waiting, const std::vector<Walk*>& everyone) {
    if (!alike_ || everyone.size() < 2)
      return side_by_side(threads_, static_cast<index_t>(waiting.size()),
                          [&](index_t i) { waiting[i]->solver().make_gram(); });
    wishes_ += std::count_if(waiting.begin(), waiting.end(), [&](Walk* walk) {
      return walk->solver().request().renew && walk->solver().shared() == shared_.version();
    });
    if (shared_.version() == 0 || wishes_ * kWishes >= static_cast<index_t>(everyone.size())) {
      wishes_ = 0;
      std::vector<const double*> weights;
      for (Walk* walk : everyone) weights.push_back(walk->solver().weights());
      shared_.renew(weights);
    }
    std::vector<index_t> columns;
    for (Walk* walk : waiting) {
      const std::vector<index_t>& own = walk->solver().request().columns;
      columns.insert(columns.end(), own.begin(), own.end());
    }
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    shared_.extend(columns);
    return side_by_side(threads_, static_cast<index_t>(waiting.size()),
                        [&](index_t i) { waiting[i]->solver().take_gram(shared_); });
  }

  bool step(const std::vector<Walk*>& waiting) {
    std::vector<PassSum> wanted;
    for (Walk* walk : waiting) {
      Solver& solver = walk->solver();
      wanted.push_back({&solver.request().columns, solver.request().coef.data(), solver.step()});
    }
    return pass_add(design_, wanted, threads_);
  }

  const Design& design_;
  const int threads_;
  const bool tall_;
  const bool alike_;  // so that one matrix serves all
  SharedGram shared_;
  index_t wishes_ = 0;  // for newer weights than the newest
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
Status march(std::vector<std::unique_ptr<Walk>>& walks, index_t first, index_t count, const Problem& problem,
             const Settings& settings, int threads) {
  Reader reader(problem, threads);
  for (index_t l = first; l < count; ++l) {
    std::vector<Walk*> busy, waiting, everyone;
    for (auto& walk : walks) {
      walk->next();
      busy.push_back(walk.get());
    }
    everyone = busy;
    while (!busy.empty()) {
      std::vector<char> waits(busy.size());
      if (!side_by_side(threads, static_cast<index_t>(busy.size()), [&](index_t i) { waits[i] = busy[i]->advance(); }))
        return Status::out_of_memory;
      for (size_t i = 0; i < busy.size(); ++i) {
        if (busy[i]->interrupted()) return Status::interrupted;
        if (waits[i]) waiting.push_back(busy[i]);
      }
      if (walks.size() > 1 && settings.interrupted && settings.interrupted(settings.context)) return Status::interrupted;
      if (!reader.answer(waiting, busy, everyone)) return Status::out_of_memory;
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
  const Status status = march(walks, l, count, problem, settings, 1);
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
    const Status status = march(walks, 0, count, problems[0], settings, threads);
    if (status != Status::converged) return status;
    for (auto& walk : walks) results.push_back(std::move(walk->result()));
    return status;
  } catch (...) {
    return Status::out_of_memory;
  }
}

}  // namespace bridle
