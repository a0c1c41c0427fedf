// Dropout on the host in one pass.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cstdint>

#include "draws.h"
#include "error.h"
#include "simd.h"

namespace {

using namespace distilburn;

DISTILBURN_CLONES void multiply_f32(float* out, const float* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = in[i] * factors[i];
}

DISTILBURN_CLONES void multiply_bf16(uint16_t* out, const uint16_t* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = narrow(widen(in[i]) * factors[i]);
  }
}

void dropout_range(at::Tensor& out, const at::Tensor& in, int64_t begin, int64_t end, Draws draws) {
  constexpr int64_t kBlock = 1024;
  float factors[kBlock];
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t count = std::min(kBlock, end - at);
    keep_factors(factors, at, count, draws);
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

}  // namespace

// out = in × keep / (1 − p), drawn from (seed, element index). Both contiguous, on the host.
extern "C" char* distilburn_dropout(at::Tensor* out, at::Tensor* in, double p, uint64_t seed) {
  return guarded([&] {
    TORCH_CHECK(in->is_cpu() && out->is_cpu() && in->is_contiguous() && out->is_contiguous(),
                "dropout: host, contiguous");
    TORCH_CHECK(in->numel() == out->numel() && in->scalar_type() == out->scalar_type(), "dropout: shapes");
    TORCH_CHECK(p >= 0.0 && p < 1.0, "dropout: p in [0, 1)");
    const Draws draws(p, seed);
    at::parallel_for(0, in->numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      dropout_range(*out, *in, begin, end, draws);
    });
  });
}
