// The host memory of LibTorch's tensors: a region of its own that keeps what a training step frees.
//
// Every step takes and frees the same hundreds of MB in pieces of other sizes. In a heap that all of the process
// shares, small blocks that live on come to stand between them: the heap grows from step to step, and every new page
// costs a fault. Here large blocks are among themselves: the smallest gap that fits is taken, the lowest of several, and
// neighbours that are free become one. Weights and moments, taken first, stand at the bottom; when a step is over, all
// above them is one gap again. Memory does not go back to the system before the process ends.

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "error.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace {

using distilburn::guarded;

// Address space, not memory: pages come with their first use.
constexpr size_t kRegion = size_t{1} << 42;
// Smaller blocks stay in the heap.
constexpr size_t kLarge = size_t{32} << 10;
// Blocks begin at multiples of a cache line, and each a few lines further into its page than the one before: blocks
// that all begin at the same place of a page would fight for the same sets of the caches.
constexpr size_t kLine = 64;
constexpr size_t kStaggers = 61;

class Region {
 public:
  Region(char* base, size_t capacity) : base_(base), capacity_(capacity) {
    blocks_[0] = {capacity, false, {}};
    gaps_.emplace(capacity, 0);
  }

  bool holds(const void* pointer) const {
    const auto* at = static_cast<const char*>(pointer);
    return at >= base_ && at < base_ + capacity_;
  }

  // nullptr where no gap is large enough. Where memory for the books is exhausted it throws, and nothing is taken.
  void* take(size_t bytes) {
    // Rounding up something greater could pass the end of size_t.
    if (bytes > capacity_) return nullptr;
    const std::lock_guard<std::mutex> guard(mutex_);
    stagger_ = (stagger_ + 1) % kStaggers;
    const size_t size = ((bytes + kLine - 1) / kLine + stagger_) * kLine;
    const auto gap = gaps_.lower_bound({size, 0});
    if (gap == gaps_.end()) return nullptr;
    const auto [gap_size, at] = *gap;
    Block& block = blocks_.at(at);
    if (gap_size > size) {
      const auto rest = blocks_.emplace(at + size, Block{gap_size - size, false, {}}).first;
      try {
        gaps_.emplace(gap_size - size, at + size);
      } catch (...) {
        blocks_.erase(rest);
        throw;
      }
    }
    block = {size, true, gaps_.extract(gap)};
    return base_ + at;
  }

  // Takes no memory: a tensor's end must not throw.
  void give_back(void* pointer) {
    const std::lock_guard<std::mutex> guard(mutex_);
    auto block = blocks_.find(static_cast<size_t>(static_cast<char*>(pointer) - base_));
    if (block == blocks_.end() || !block->second.taken) {
      std::fputs("distilburn: a tensor's memory is freed twice\n", stderr);
      std::abort();
    }
    auto gap = std::move(block->second.gap);
    block->second.taken = false;
    const auto above = std::next(block);
    if (above != blocks_.end() && !above->second.taken) absorb(block, above);
    if (block != blocks_.begin() && !std::prev(block)->second.taken) {
      const auto below = std::prev(block);
      gaps_.erase({below->second.size, below->first});
      below->second.size += block->second.size;
      blocks_.erase(block);
      block = below;
    }
    gap.value() = {block->second.size, block->first};
    gaps_.insert(std::move(gap));
  }

 private:
  // By size, then place.
  using Gaps = std::set<std::pair<size_t, size_t>>;

  struct Block {
    size_t size;
    bool taken;
    // Of a taken block: its entry among the gaps, for when it is one again.
    Gaps::node_type gap;
  };

  using Blocks = std::map<size_t, Block>;

  // Makes the gap `above` a part of the block below it.
  void absorb(Blocks::iterator block, Blocks::iterator above) {
    gaps_.erase({above->second.size, above->first});
    block->second.size += above->second.size;
    blocks_.erase(above);
  }

  char* base_;
  size_t capacity_;
  std::mutex mutex_;
  size_t stagger_ = 0;
  // All of the region by place, taken or not.
  Blocks blocks_;
  Gaps gaps_;
};

// Never destroyed: tensors may be freed while the process ends.
Region* region = nullptr;

void free_block(void* pointer) {
  if (region->holds(pointer)) {
    region->give_back(pointer);
  } else {
    c10::free_cpu(pointer);
  }
}

class RegionAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* pointer = bytes < kLarge ? nullptr : region->take(bytes);
    if (pointer == nullptr) pointer = c10::alloc_cpu(bytes);
    return {pointer, pointer, &free_block, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }

  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

}  // namespace

extern "C" {

// Has LibTorch take large host tensors from the region from now on. Does nothing the second time, and where the address
// space is limited. Tensors that are there already stay where they are, and end as they were made: every block carries
// its own deleter.
//
// LibTorch keeps its allocator in a plain pointer: a thread that takes a tensor's memory meanwhile finds the old or the
// new one, and either serves it.
char* distilburn_keep_tensor_memory() {
  return guarded([] {
    static std::once_flag once;
    std::call_once(once, [] {
      void* base = mmap(nullptr, kRegion, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base == MAP_FAILED) return;
      region = new Region(static_cast<char*>(base), kRegion);
      c10::SetCPUAllocator(new RegionAllocator, /*priority=*/100);
    });
  });
}

}  // extern "C"
