// Attention over all sequences of a packed batch at once, on CUDA: LibTorch's operations, which the tch crate does not expose.

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_efficient_attention_backward.h>
#include <ATen/ops/_efficient_attention_forward.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>

#include <cstdint>
#include <mutex>

#include "error.h"
#include "results.h"
#include "stand_in.h"

namespace {

using namespace distilburn;

// As in src/ffi/varlen.rs.
enum class Kernel : int32_t {
  // FlashAttention-2 (Dao 2023): half types, compute capability 8.0 and above.
  kFlash = 0,
  // Memory-efficient attention (Rabe and Staats 2021): float and half types, also before 8.0.
  kEfficient = 1,
  // On the host, for tests.
  kStandIn = 2,
};

// While it lives, gradients are summed in an order that does not depend on timing. New tensors are not filled for it.
class Deterministic {
 public:
  Deterministic() {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  ~Deterministic() {
    at::globalContext().setDeterministicAlgorithms(before_, warned_);
    at::globalContext().setDeterministicFillUninitializedMemory(filled_);
  }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;

 private:
  const bool before_ = at::globalContext().deterministicAlgorithms();
  const bool warned_ = at::globalContext().deterministicAlgorithmsWarnOnly();
  const bool filled_ = at::globalContext().deterministicFillUninitializedMemory();
};

void seed_generator(at::Device device, uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

// Memory-efficient attention takes a batch of one: all sequences back to back.
at::Tensor batch_of_one(const at::Tensor& tensor) { return tensor.unsqueeze(0); }

constexpr int64_t kNoMask = 0;

}  // namespace

// query, key, value (tokens, n_heads, d_head), cu_seqlens (sequences + 1) of int32, all on one device. Results: the
// output, and logsumexp and two states of the generator for the backward pass. Dropout draws from `seed` alone.
extern "C" char* distilburn_varlen_forward(at::Tensor** results, int32_t kernel, at::Tensor* query, at::Tensor* key,
                                           at::Tensor* value, at::Tensor* cu_seqlens, int64_t longest, double p,
                                           uint64_t seed) {
  return guarded([&] {
    switch (static_cast<Kernel>(kernel)) {
      case Kernel::kFlash: {
        if (p > 0) seed_generator(query->device(), seed);
        auto [out, logsumexp, rng_state, unused, mask] = at::_flash_attention_forward(
            *query, *key, *value, *cu_seqlens, *cu_seqlens, longest, longest, p, false, false);
        hand_over<4>(results, {out, logsumexp, rng_state, unused});
        return;
      }
      case Kernel::kEfficient: {
        if (p > 0) seed_generator(query->device(), seed);
        auto [out, logsumexp, philox_seed, philox_offset, longest_query, longest_key] =
            at::_efficient_attention_forward(batch_of_one(*query), batch_of_one(*key), batch_of_one(*value),
                                             std::nullopt, *cu_seqlens, *cu_seqlens, longest, longest, p, kNoMask,
                                             /*compute_log_sumexp=*/true);
        hand_over<4>(results, {out.squeeze(0), logsumexp, philox_seed, philox_offset});
        return;
      }
      case Kernel::kStandIn:
        hand_over<4>(results, stand_in_forward(*query, *key, *value, *cu_seqlens, longest, p, seed));
        return;
    }
  });
}

// Gradients of query, key and value. `out` to `second_state` are the results of distilburn_varlen_forward.
extern "C" char* distilburn_varlen_backward(at::Tensor** results, int32_t kernel, at::Tensor* grad,
                                            at::Tensor* query, at::Tensor* key, at::Tensor* value,
                                            at::Tensor* cu_seqlens, at::Tensor* out, at::Tensor* logsumexp,
                                            at::Tensor* first_state, at::Tensor* second_state, int64_t longest,
                                            double p) {
  return guarded([&] {
    switch (static_cast<Kernel>(kernel)) {
      case Kernel::kFlash: {
        const Deterministic deterministic;
        auto [of_query, of_key, of_value] = at::_flash_attention_backward(
            *grad, *query, *key, *value, *out, *logsumexp, *cu_seqlens, *cu_seqlens, longest, longest, p, false,
            *first_state, *second_state);
        hand_over<3>(results, {of_query, of_key, of_value});
        return;
      }
      case Kernel::kEfficient: {
        const Deterministic deterministic;
        auto [of_query, of_key, of_value, of_bias] = at::_efficient_attention_backward(
            batch_of_one(*grad), batch_of_one(*query), batch_of_one(*key), batch_of_one(*value), std::nullopt,
            batch_of_one(*out), *cu_seqlens, *cu_seqlens, longest, longest, *logsumexp, p, *first_state,
            *second_state, kNoMask, /*bias_requires_grad=*/false, /*scale=*/std::nullopt, /*num_splits_key=*/1);
        hand_over<3>(results, {of_query.squeeze(0), of_key.squeeze(0), of_value.squeeze(0)});
        return;
      }
      case Kernel::kStandIn:
        hand_over<3>(results, stand_in_backward(*grad, *query, *key, *value, *cu_seqlens, *first_state, longest, p));
        return;
    }
  });
}
