// LibTorch's gradients of layer_norm, which the tch crate does not expose.

#include <ATen/core/Tensor.h>
#include <ATen/ops/native_layer_norm_backward.h>

#include <memory>

#include "error.h"

using namespace distilburn;

// Gradients of layer_norm over the last dimension, in newly made tensors.
extern "C" char* distilburn_layer_norm_backward(at::Tensor** grads, at::Tensor* grad, at::Tensor* input,
                                                at::Tensor* mean, at::Tensor* rstd, at::Tensor* weight,
                                                at::Tensor* bias) {
  return guarded([&] {
    auto [of_input, of_weight, of_bias] = at::native_layer_norm_backward(
        *grad, *input, {input->size(-1)}, *mean, *rstd, *weight, *bias, {true, true, true});
    auto first = std::make_unique<at::Tensor>(of_input), second = std::make_unique<at::Tensor>(of_weight);
    grads[2] = new at::Tensor(of_bias);
    grads[1] = second.release();
    grads[0] = first.release();
  });
}
