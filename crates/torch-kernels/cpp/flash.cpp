// FlashAttention-2 (Dao 2023) over a packed batch, on CUDA: LibTorch's operation, which the tch crate does not expose.

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>

#include <cstdint>
#include <mutex>

#include "error.h"
#include "results.h"

namespace {

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

}  // namespace

using namespace distilburn;

// query, key, value (tokens, n_heads, d_head), cu_seqlens (sequences + 1) of int32, all on one device. Results: the
// output, and logsumexp and two states of the generator for the backward pass. Dropout draws from `seed` alone.
extern "C" char* distilburn_flash_forward(at::Tensor** results, at::Tensor* query, at::Tensor* key,
                                          at::Tensor* value, at::Tensor* cu_seqlens, int64_t longest, double p,
                                          uint64_t seed) {
  return guarded([&] {
    if (p > 0) {
      at::Generator generator = at::globalContext().defaultGenerator(query->device());
      const std::lock_guard<std::mutex> lock(generator.mutex());
      generator.set_current_seed(seed);
    }
    auto [out, logsumexp, rng_state, unused, mask] = at::_flash_attention_forward(
        *query, *key, *value, *cu_seqlens, *cu_seqlens, longest, longest, p, false, false);
    hand_over<4>(results, {out, logsumexp, rng_state, unused});
  });
}

// Gradients of query, key and value. `out` to `unused` are the results of distilburn_flash_forward.
extern "C" char* distilburn_flash_backward(at::Tensor** results, at::Tensor* grad, at::Tensor* query,
                                           at::Tensor* key, at::Tensor* value, at::Tensor* cu_seqlens,
                                           at::Tensor* out, at::Tensor* logsumexp, at::Tensor* rng_state,
                                           at::Tensor* unused, int64_t longest, double p) {
  return guarded([&] {
    const Deterministic deterministic;
    auto [of_query, of_key, of_value] =
        at::_flash_attention_backward(*grad, *query, *key, *value, *out, *logsumexp, *cu_seqlens, *cu_seqlens,
                                      longest, longest, p, false, *rng_state, *unused);
    hand_over<3>(results, {of_query, of_key, of_value});
  });
}
