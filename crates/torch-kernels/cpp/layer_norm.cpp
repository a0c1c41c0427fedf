// LibTorch's gradients of layer_norm, which the tch crate does not expose.

#include <ATen/core/Tensor.h>
#include <ATen/ops/native_layer_norm_backward.h>

#include "error.h"
#include "results.h"

using namespace distilburn;

// Gradients of layer_norm over the last dimension: of input, weight and bias.
extern "C" char* distilburn_layer_norm_backward(at::Tensor** results, at::Tensor* grad, at::Tensor* input,
                                                at::Tensor* mean, at::Tensor* rstd, at::Tensor* weight,
                                                at::Tensor* bias) {
  return guarded([&] {
    auto [of_input, of_weight, of_bias] = at::native_layer_norm_backward(
        *grad, *input, {input->size(-1)}, *mean, *rstd, *weight, *bias, {true, true, true});
    hand_over<3>(results, {of_input, of_weight, of_bias});
  });
}
