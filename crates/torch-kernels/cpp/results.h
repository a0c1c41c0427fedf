// Tensors newly made for the caller of the C interface.

#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <utility>

namespace distilburn {

// Gives the caller all of `tensors`, or, where this throws, none.
template <size_t N>
void hand_over(at::Tensor** results, std::array<at::Tensor, N> tensors) {
  std::array<std::unique_ptr<at::Tensor>, N> owned;
  for (size_t i = 0; i < N; ++i) owned[i] = std::make_unique<at::Tensor>(std::move(tensors[i]));
  for (size_t i = 0; i < N; ++i) results[i] = owned[i].release();
}

}  // namespace distilburn
