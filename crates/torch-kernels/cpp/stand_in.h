// What stands in for attention on CUDA where tests take the device's path on the host.

#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace distilburn {

// As distilburn_varlen_forward, the first state being the seed.
std::array<at::Tensor, 4> stand_in_forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                           const at::Tensor& cu_seqlens, int64_t longest, double p, uint64_t seed);

// As distilburn_varlen_backward.
std::array<at::Tensor, 3> stand_in_backward(const at::Tensor& grad, const at::Tensor& query, const at::Tensor& key,
                                            const at::Tensor& value, const at::Tensor& cu_seqlens,
                                            const at::Tensor& seed, int64_t longest, double p);

}  // namespace distilburn
