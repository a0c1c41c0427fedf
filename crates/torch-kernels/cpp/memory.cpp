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

#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace {

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
  Region(char* base, size_t capacity) : base_(base), capacity_(capacity) { add_gap(0, capacity); }

  bool holds(const void* pointer) const {
    const auto* at = static_cast<const char*>(pointer);
    return at >= base_ && at < base_ + capacity_;
  }

  // nullptr where no gap is large enough.
  void* take(size_t bytes) {
    const std::lock_guard<std::mutex> guard(mutex_);
    stagger_ = (stagger_ + 1) % kStaggers;
    const size_t size = ((bytes + kLine - 1) / kLine + stagger_) * kLine;
    const auto gap = gaps_by_size_.lower_bound({size, 0});
    if (gap == gaps_by_size_.end()) return nullptr;
    const auto [gap_size, at] = *gap;
    remove_gap(at, gap_size);
    if (gap_size > size) add_gap(at + size, gap_size - size);
    taken_.emplace(at, size);
    return base_ + at;
  }

  void give_back(void* pointer) {
    size_t at = static_cast<size_t>(static_cast<char*>(pointer) - base_);
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto block = taken_.find(at);
    size_t size = block->second;
    taken_.erase(block);
    const auto above = gaps_.lower_bound(at);
    if (above != gaps_.begin()) {
      const auto [below_at, below_size] = *std::prev(above);
      if (below_at + below_size == at) {
        remove_gap(below_at, below_size);
        at = below_at;
        size += below_size;
      }
    }
    if (above != gaps_.end() && above->first == at + size) {
      const size_t above_size = above->second;
      remove_gap(above->first, above_size);
      size += above_size;
    }
    add_gap(at, size);
  }

 private:
  void add_gap(size_t at, size_t size) {
    gaps_.emplace(at, size);
    gaps_by_size_.emplace(size, at);
  }

  void remove_gap(size_t at, size_t size) {
    gaps_.erase(at);
    gaps_by_size_.erase({size, at});
  }

  char* base_;
  size_t capacity_;
  std::mutex mutex_;
  size_t stagger_ = 0;
  // Place → size; the same by size, then place.
  std::map<size_t, size_t> gaps_;
  std::set<std::pair<size_t, size_t>> gaps_by_size_;
  std::unordered_map<size_t, size_t> taken_;
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
// space is limited; tensors that are there already stay where they are.
void distilburn_keep_tensor_memory() {
  static std::once_flag once;
  std::call_once(once, [] {
    void* base = mmap(nullptr, kRegion, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return;
    region = new Region(static_cast<char*>(base), kRegion);
    c10::SetCPUAllocator(new RegionAllocator, /*priority=*/100);
  });
}

}  // extern "C"
