// Work that threads share.

#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace distilburn {

// Has every thread run body(take), where take() gives the next of `count` things, and -1 when there are no more. A thread on a
// core that others use too takes fewer, instead of being waited for.
template <class Body>
void in_turns(int64_t count, const Body& body) {
  std::atomic<int64_t> next{0};
  const auto take = [&] {
    const int64_t index = next.fetch_add(1, std::memory_order_relaxed);
    return index < count ? index : -1;
  };
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t, int64_t) { body(take); });
}

}  // namespace distilburn
