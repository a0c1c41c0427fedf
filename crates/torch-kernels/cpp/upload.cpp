// Integers to a device, without waiting for what it has still to do.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

#include "error.h"
#include "results.h"

using namespace distilburn;

// `count` values on the device of `beside`. To a GPU they go from pinned memory, which LibTorch keeps until they are
// there; from other memory the copy would first let the GPU's queue run empty.
extern "C" char* distilburn_upload(at::Tensor** results, const int64_t* values, int64_t count, at::Tensor* beside) {
  return guarded([&] {
    const bool pinned = beside->is_cuda();
    const auto options = at::TensorOptions(at::kLong).pinned_memory(pinned);
    const at::Tensor host = at::empty({count}, options);
    std::copy_n(values, count, host.data_ptr<int64_t>());
    hand_over<1>(results, {host.to(beside->device(), /*non_blocking=*/pinned)});
  });
}
