// The optimizer's arithmetic over many tensors: norm, unscaling, AdamW.
//
// On the host in one pass each, gradients in bfloat16 too; on a device by LibTorch's own operators, which the tch crate
// does not expose.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "error.h"
#include "simd.h"

namespace {

using namespace distilburn;

// Elements that one thread takes at a time: small enough to share the work evenly, large enough to be worth it.
constexpr int64_t kPiece = 1 << 16;

// A stretch of one of many tensors.
struct Piece {
  int64_t tensor;
  int64_t begin;
  int64_t count;
};

std::vector<Piece> pieces(at::Tensor** tensors, int64_t count) {
  std::vector<Piece> list;
  for (int64_t tensor = 0; tensor < count; ++tensor) {
    const int64_t size = tensors[tensor]->numel();
    for (int64_t begin = 0; begin < size; begin += kPiece) {
      list.push_back({tensor, begin, std::min(kPiece, size - begin)});
    }
  }
  return list;
}

// What AdamW needs beside the tensors.
struct AdamWFactors {
  float gradient;
  float keep;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float root_correction2;
  float epsilon;
  float step_size;
};

template <class Gradient>
DISTILBURN_INLINE void adamw_piece(float* __restrict param, const Gradient* __restrict grad, float* __restrict exp_avg,
                                   float* __restrict exp_avg_sq, int64_t count, const AdamWFactors& factors) {
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = widen(grad[i]) * factors.gradient;
    const float first = exp_avg[i] + (gradient - exp_avg[i]) * factors.one_minus_beta1;
    const float second = exp_avg_sq[i] * factors.beta2 + gradient * gradient * factors.one_minus_beta2;
    exp_avg[i] = first;
    exp_avg_sq[i] = second;
    const float denominator = std::sqrt(second) / factors.root_correction2 + factors.epsilon;
    param[i] = param[i] * factors.keep - factors.step_size * first / denominator;
  }
}

DISTILBURN_CLONES void adamw_f32(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, int64_t count,
                                 AdamWFactors factors) {
  adamw_piece(param, grad, exp_avg, exp_avg_sq, count, factors);
}

DISTILBURN_CLONES void adamw_bf16(float* param, const uint16_t* grad, float* exp_avg, float* exp_avg_sq,
                                  int64_t count, AdamWFactors factors) {
  adamw_piece(param, grad, exp_avg, exp_avg_sq, count, factors);
}

// Added up in lanes, as vector instructions do, whatever the instruction set.
template <class Value>
DISTILBURN_INLINE double squares_of(const Value* values, int64_t count) {
  constexpr int64_t kLanes = 64;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = widen(values[i + lane]);
      lanes[lane] += value * value;
    }
  }
  double sum = 0.0;
  for (; i < count; ++i) sum += static_cast<double>(widen(values[i])) * widen(values[i]);
  for (const float lane : lanes) sum += lane;
  return sum;
}

DISTILBURN_CLONES double squares_f32(const float* values, int64_t count) { return squares_of(values, count); }
DISTILBURN_CLONES double squares_bf16(const uint16_t* values, int64_t count) { return squares_of(values, count); }

void check_host_tensor(const at::Tensor& tensor, bool bf16_too) {
  const bool type = tensor.scalar_type() == at::kFloat || (bf16_too && tensor.scalar_type() == at::kBFloat16);
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous() && type, "host, contiguous, float or gradient in bfloat16");
}

at::Tensor host_norm(at::Tensor** tensors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) check_host_tensor(*tensors[i], true);
  const auto list = pieces(tensors, count);
  // One sum for each piece, added in their order: the same bits whatever the number of threads.
  std::vector<double> sums(list.size());
  at::parallel_for(0, static_cast<int64_t>(list.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const Piece piece = list[i];
      const at::Tensor& tensor = *tensors[piece.tensor];
      sums[i] = tensor.scalar_type() == at::kFloat
                    ? squares_f32(tensor.const_data_ptr<float>() + piece.begin, piece.count)
                    : squares_bf16(static_cast<const uint16_t*>(tensor.const_data_ptr()) + piece.begin, piece.count);
    }
  });
  double sum = 0.0;
  for (const double one : sums) sum += one;
  return at::full({}, std::sqrt(sum), at::TensorOptions().dtype(at::kFloat));
}

void host_adamw(at::Tensor** params, at::Tensor** grads, at::Tensor** exp_avgs, at::Tensor** exp_avg_sqs,
                int64_t count, AdamWFactors factors) {
  for (int64_t i = 0; i < count; ++i) {
    for (at::Tensor** tensors : {params, exp_avgs, exp_avg_sqs}) check_host_tensor(*tensors[i], false);
    check_host_tensor(*grads[i], true);
    for (at::Tensor** tensors : {grads, exp_avgs, exp_avg_sqs}) {
      TORCH_CHECK(tensors[i]->numel() == params[i]->numel(), "adamw: tensors of one size");
    }
  }
  const auto list = pieces(params, count);
  at::parallel_for(0, static_cast<int64_t>(list.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const Piece piece = list[i];
      const auto at = [&](at::Tensor** tensors) { return tensors[piece.tensor]->data_ptr<float>() + piece.begin; };
      float *param = at(params), *exp_avg = at(exp_avgs), *exp_avg_sq = at(exp_avg_sqs);
      if (grads[piece.tensor]->scalar_type() == at::kFloat) {
        adamw_f32(param, at(grads), exp_avg, exp_avg_sq, piece.count, factors);
      } else {
        const auto* grad = static_cast<const uint16_t*>(grads[piece.tensor]->const_data_ptr()) + piece.begin;
        adamw_bf16(param, grad, exp_avg, exp_avg_sq, piece.count, factors);
      }
    }
  });
}

std::vector<at::Tensor> borrow(at::Tensor** tensors, int64_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int64_t i = 0; i < count; ++i) list.push_back(*tensors[i]);
  return list;
}

}  // namespace

extern "C" {

// The 2-norm of all tensors together, as torch.nn.utils.clip_grad_norm_ takes it, in float. On the host some may be
// bfloat16.
char* distilburn_global_norm(at::Tensor** norm, at::Tensor** tensors, int64_t count, bool on_host) {
  return guarded([&] {
    TORCH_CHECK(count > 0, "norm: of no tensors");
    if (on_host) {
      norm[0] = new at::Tensor(host_norm(tensors, count));
      return;
    }
    auto norms = at::_foreach_norm(borrow(tensors, count), 2);
    norm[0] = new at::Tensor(at::linalg_vector_norm(at::stack(norms)));
  });
}

// All tensors × inverse_scale in place, and whether one of their elements is not finite, as
// torch.amp.GradScaler.unscale_ does it.
char* distilburn_unscale(at::Tensor** found_inf, at::Tensor** tensors, int64_t count, double inverse_scale) {
  return guarded([&] {
    TORCH_CHECK(count > 0, "unscale: no tensors");
    auto options = at::TensorOptions().dtype(at::kFloat).device(tensors[0]->device());
    auto found = at::full({}, 0.0, options);
    at::_amp_foreach_non_finite_check_and_unscale_(borrow(tensors, count), found,
                                                   at::full({}, inverse_scale, options));
    found_inf[0] = new at::Tensor(found);
  });
}

// One AdamW update (Loshchilov and Hutter 2019) in place, as torch.optim.AdamW(fused=True):
// gradients are divided by grad_scale first. `step` counts from 1. On the host, gradients may be bfloat16 and are left
// as they are; on a device, ATen checks shapes and types and stores the divided gradients.
char* distilburn_adamw(at::Tensor** params, at::Tensor** grads, at::Tensor** exp_avgs, at::Tensor** exp_avg_sqs,
                       int64_t count, double learning_rate, double beta1, double beta2, double weight_decay,
                       double epsilon, double step, at::Tensor* grad_scale, bool on_host) {
  return guarded([&] {
    if (count == 0) return;
    if (on_host) {
      const auto one_minus = [](double x) { return static_cast<float>(1.0 - x); };
      const AdamWFactors factors{1.0f / grad_scale->item<float>(),
                                 one_minus(learning_rate * weight_decay),
                                 one_minus(beta1),
                                 static_cast<float>(beta2),
                                 one_minus(beta2),
                                 static_cast<float>(std::sqrt(1.0 - std::pow(beta2, step))),
                                 static_cast<float>(epsilon),
                                 static_cast<float>(learning_rate / (1.0 - std::pow(beta1, step)))};
      host_adamw(params, grads, exp_avgs, exp_avg_sqs, count, factors);
      return;
    }
    auto parameters = borrow(params, count);
    auto options = at::TensorOptions().dtype(at::kFloat).device(parameters[0].device());
    std::vector<at::Tensor> steps(count, at::full({}, step, options));
    auto gradients = borrow(grads, count);
    std::optional<at::Tensor> scale = *grad_scale;
    if (parameters[0].is_mps()) {
      // LibTorch's fused AdamW for MPS takes grad_scale and ignores it: without this, gradients would not be clipped.
      at::_foreach_div_(gradients, *grad_scale);
      scale = std::nullopt;
    }
    at::_fused_adamw_(parameters, gradients, borrow(exp_avgs, count), borrow(exp_avg_sqs, count), {}, steps,
                      learning_rate, beta1, beta2, weight_decay, epsilon, /*amsgrad=*/false, /*maximize=*/false, scale,
                      std::nullopt);
  });
}

// Overwrites each target with its source, in the target's type: on a device in one go.
char* distilburn_copy_all(at::Tensor** targets, at::Tensor** sources, int64_t count) {
  return guarded([&] {
    if (count > 0) at::_foreach_copy_(borrow(targets, count), borrow(sources, count));
  });
}

}  // extern "C"
