// Memory for vector instructions, and the cache's lines.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace distilburn {

constexpr size_t kLine = 64;

struct AlignedDelete {
  void operator()(void* buffer) const { ::operator delete(buffer, std::align_val_t{kLine}); }
};

template <class T>
using Aligned = std::unique_ptr<T[], AlignedDelete>;

// Room for `count` numbers from the start of a cache line on, with anything in it: a vector that passes the end of a line
// takes twice as long to read.
template <class T>
Aligned<T> aligned(int64_t count) {
  return Aligned<T>(static_cast<T*>(::operator new(static_cast<size_t>(count) * sizeof(T), std::align_val_t{kLine})));
}

// Has the cache read `count` numbers, to read them or, where `writes`, to write them soon.
template <bool writes = false, class T>
void fetch_row(const T* row, int64_t count) {
#if defined(__GNUC__)
  for (int64_t i = 0; i < count; i += kLine / sizeof(T)) __builtin_prefetch(row + i, writes);
#endif
}

}  // namespace distilburn
