// LibTorch calls that the tch crate does not expose, behind a C interface.
//
// Every function returns nullptr, or a message that distilburn_free_message frees. Tensors are
// borrowed: `at::Tensor*` as tch holds them. Only host work is done here; what runs on a device goes
// through ATen operators.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/stack.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

namespace {

template <class F>
char* guarded(F f) {
  try {
    f();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  }
}

// lowbias32 by Chris Wellons: a 32-bit mixing function with little bias.
inline uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  x ^= x >> 16;
  return x;
}

// Counter-based: what element `index` draws depends on the seed and the index alone, so the mask is the
// same whatever the thread count, and the backward pass draws it again instead of storing it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DISTILBURN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISTILBURN_CLONES
#endif

DISTILBURN_CLONES void keep_factors(float* factors, int64_t begin, int64_t count, uint32_t low,
                                    uint32_t high, uint32_t threshold, float scale) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t draw = mix(mix(static_cast<uint32_t>(begin + i) ^ low) + high);
    factors[i] = draw >= threshold ? scale : 0.0f;
  }
}

DISTILBURN_CLONES void multiply_f32(float* out, const float* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = in[i] * factors[i];
}

// bfloat16 is the upper half of a float: widen by a shift, narrow with round to nearest even.
DISTILBURN_CLONES void multiply_bf16(uint16_t* out, const uint16_t* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(in[i]) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    value *= factors[i];
    uint32_t product;
    std::memcpy(&product, &value, sizeof product);
    const bool nan = (product & 0x7fffffffU) > 0x7f800000U;
    const uint32_t rounded = (product + 0x7fffU + ((product >> 16) & 1U)) >> 16;
    out[i] = nan ? 0x7fc0U : static_cast<uint16_t>(rounded);
  }
}

void dropout_range(at::Tensor& out, const at::Tensor& in, int64_t begin, int64_t end, uint64_t seed,
                   uint32_t threshold, float scale) {
  constexpr int64_t kBlock = 1024;
  float factors[kBlock];
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t count = std::min(kBlock, end - at);
    keep_factors(factors, at, count, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                 threshold, scale);
    switch (in.scalar_type()) {
      case at::kFloat:
        multiply_f32(out.data_ptr<float>() + at, in.const_data_ptr<float>() + at, factors, count);
        break;
      case at::kBFloat16:
        multiply_bf16(static_cast<uint16_t*>(out.data_ptr()) + at,
                      static_cast<const uint16_t*>(in.const_data_ptr()) + at, factors, count);
        break;
      case at::kHalf: {
        auto* to = out.data_ptr<at::Half>() + at;
        const auto* from = in.const_data_ptr<at::Half>() + at;
        for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) * factors[i];
        break;
      }
      default:
        TORCH_CHECK(false, "dropout: unsupported type ", in.scalar_type());
    }
  }
}

std::vector<at::Tensor> borrow(at::Tensor** tensors, int64_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int64_t i = 0; i < count; ++i) list.push_back(*tensors[i]);
  return list;
}

}  // namespace

extern "C" {

void distilburn_free_message(char* message) { free(message); }

// out = in × keep / (1 − p), drawn from (seed, element index). Both contiguous, on the host.
char* distilburn_dropout(at::Tensor* out, at::Tensor* in, double p, uint64_t seed) {
  return guarded([&] {
    TORCH_CHECK(in->is_cpu() && in->is_contiguous() && out->is_contiguous(), "dropout: host, contiguous");
    TORCH_CHECK(in->numel() == out->numel() && in->scalar_type() == out->scalar_type(), "dropout: shapes");
    const auto threshold = static_cast<uint32_t>(p * 4294967296.0);
    const auto scale = static_cast<float>(1.0 / (1.0 - p));
    at::parallel_for(0, in->numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      dropout_range(*out, *in, begin, end, seed, threshold, scale);
    });
  });
}

// Gradients of layer_norm over the last dimension, in newly made tensors.
char* distilburn_layer_norm_backward(at::Tensor** grads, at::Tensor* grad, at::Tensor* input, at::Tensor* mean,
                                     at::Tensor* rstd, at::Tensor* weight, at::Tensor* bias) {
  return guarded([&] {
    auto result = at::native_layer_norm_backward(*grad, *input, {input->size(-1)}, *mean, *rstd, *weight, *bias,
                                                 {true, true, true});
    grads[0] = new at::Tensor(std::get<0>(result));
    grads[1] = new at::Tensor(std::get<1>(result));
    grads[2] = new at::Tensor(std::get<2>(result));
  });
}

// The 2-norm of all tensors together, as torch.nn.utils.clip_grad_norm_ takes it.
char* distilburn_global_norm(at::Tensor** norm, at::Tensor** tensors, int64_t count) {
  return guarded([&] {
    auto norms = at::_foreach_norm(borrow(tensors, count), 2);
    norm[0] = new at::Tensor(at::linalg_vector_norm(at::stack(norms)));
  });
}

// All tensors × inverse_scale in place, and whether one of their elements is not finite, as
// torch.amp.GradScaler.unscale_ does it.
char* distilburn_unscale(at::Tensor** found_inf, at::Tensor** tensors, int64_t count, double inverse_scale) {
  return guarded([&] {
    auto options = at::TensorOptions().dtype(at::kFloat).device(tensors[0]->device());
    auto found = at::full({}, 0.0, options);
    at::_amp_foreach_non_finite_check_and_unscale_(borrow(tensors, count), found,
                                                   at::full({}, inverse_scale, options));
    found_inf[0] = new at::Tensor(found);
  });
}

// One AdamW update (Loshchilov and Hutter 2019) in place, as torch.optim.AdamW(fused=True):
// gradients are divided by grad_scale first. `step` counts from 1.
char* distilburn_adamw(at::Tensor** params, at::Tensor** grads, at::Tensor** exp_avgs, at::Tensor** exp_avg_sqs,
                       int64_t count, double learning_rate, double beta1, double beta2, double weight_decay,
                       double epsilon, double step, at::Tensor* grad_scale) {
  return guarded([&] {
    if (count == 0) return;
    auto parameters = borrow(params, count);
    auto options = at::TensorOptions().dtype(at::kFloat).device(parameters[0].device());
    std::vector<at::Tensor> steps(count, at::full({}, step, options));
    at::_fused_adamw_(parameters, borrow(grads, count), borrow(exp_avgs, count), borrow(exp_avg_sqs, count), {},
                      steps, learning_rate, beta1, beta2, weight_decay, epsilon, /*amsgrad=*/false,
                      /*maximize=*/false, *grad_scale, std::nullopt);
  });
}

}  // extern "C"
