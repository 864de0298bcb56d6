#include "crew.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace bridle {

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

}  // namespace bridle
