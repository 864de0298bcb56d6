// Work on several threads, each item once.
#pragma once

#include <functional>

#include "simd.hpp"

namespace bridle {

// Calls work(i) for i < count on some threads; false if memory ran out.
bool side_by_side(int threads, index_t count, const std::function<void(index_t)>& work);

}  // namespace bridle
