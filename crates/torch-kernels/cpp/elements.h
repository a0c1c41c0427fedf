// What linear layers take of tensors: f32 or bfloat16, and sizes that brgemm multiplies.

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace distilburn {

// How many columns brgemm's packed factors and its inner dimension come in.
constexpr int64_t kGroup = 32;

inline void check_sizes(int64_t rows, int64_t dim_in, int64_t dim_out) {
  TORCH_CHECK(rows > 0 && dim_in > 0 && dim_in % kGroup == 0 && dim_out > 0 && dim_out % kGroup == 0,
              "linear: some rows, and dimensions in multiples of 32");
}

// Calls f with the address of the tensor's elements, of f32 or bfloat16.
template <class F>
void with_elements(const at::Tensor& tensor, F f) {
  TORCH_CHECK(tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kFloat, "linear: bfloat16 or float");
  if (tensor.scalar_type() == at::kFloat) {
    f(static_cast<float*>(tensor.data_ptr()));
  } else {
    f(static_cast<uint16_t*>(tensor.data_ptr()));
  }
}

}  // namespace distilburn
