// Attention one sequence after another in float, behind the interface of the kernels for CUDA: it reads what they read, views
// and cu_seqlens included. A slow one: it is there for tests.

#include "stand_in.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/record_function.h>

#include <cmath>

namespace {

// Rows begin to end of (tokens, n_heads, d_head) → (n_heads, len, d_head), a view.
at::Tensor heads(const at::Tensor& tensor, int64_t begin, int64_t end) {
  return tensor.slice(0, begin, end).transpose(0, 1);
}

struct Probabilities {
  at::Tensor all;
  // What dropout multiplies them by.
  at::Tensor factors;
};

Probabilities probabilities(const at::Tensor& query, const at::Tensor& key, double p, at::Generator& generator) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(2)));
  const at::Tensor all = (at::matmul(query, key.transpose(1, 2)) * scale).softmax(-1);
  at::Tensor factors = at::empty_like(all).bernoulli_(1.0 - p, generator).div_(1.0 - p);
  return {all, factors};
}

// Calls `each` with the first token of every sequence and the one after its last.
template <class F>
void sequences(const at::Tensor& query, const at::Tensor& cu_seqlens, int64_t longest, F each) {
  TORCH_CHECK(query.dim() == 3 && query.stride(2) == 1, "attention: (tokens, n_heads, d_head), rows of heads");
  TORCH_CHECK(cu_seqlens.scalar_type() == at::kInt && cu_seqlens.is_contiguous(), "attention: cu_seqlens of int32");
  const int32_t* ends = cu_seqlens.const_data_ptr<int32_t>();
  const int64_t count = cu_seqlens.numel() - 1;
  TORCH_CHECK(count >= 0 && ends[0] == 0 && ends[count] == query.size(0), "attention: cu_seqlens from 0 to the tokens");
  for (int64_t i = 0; i < count; ++i) {
    TORCH_CHECK(ends[i + 1] - ends[i] <= longest, "attention: a sequence beyond the longest");
    each(ends[i], ends[i + 1]);
  }
}

}  // namespace

std::array<at::Tensor, 4> distilburn::stand_in_forward(const at::Tensor& query, const at::Tensor& key,
                                                       const at::Tensor& value, const at::Tensor& cu_seqlens,
                                                       int64_t longest, double p, uint64_t seed) {
  RECORD_USER_SCOPE("attention");
  at::Generator generator = at::detail::createCPUGenerator(seed);
  at::Tensor out = at::empty(query.sizes(), query.options());
  sequences(query, cu_seqlens, longest, [&](int64_t begin, int64_t end) {
    const auto part = [&](const at::Tensor& tensor) { return heads(tensor, begin, end).to(at::kFloat); };
    const auto [all, factors] = probabilities(part(query), part(key), p, generator);
    heads(out, begin, end).copy_(at::matmul(all * factors, part(value)));
  });
  const at::Tensor state = at::full({}, static_cast<int64_t>(seed), at::TensorOptions().dtype(at::kLong));
  return {out, at::empty({0}), state, at::empty({0})};
}

std::array<at::Tensor, 3> distilburn::stand_in_backward(const at::Tensor& grad, const at::Tensor& query,
                                                        const at::Tensor& key, const at::Tensor& value,
                                                        const at::Tensor& cu_seqlens, const at::Tensor& seed,
                                                        int64_t longest, double p) {
  RECORD_USER_SCOPE("attention backward");
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed.item<int64_t>()));
  const auto like = [](const at::Tensor& tensor) { return at::empty(tensor.sizes(), tensor.options()); };
  std::array<at::Tensor, 3> grads{like(query), like(key), like(value)};
  sequences(query, cu_seqlens, longest, [&](int64_t begin, int64_t end) {
    const auto part = [&](const at::Tensor& tensor) { return heads(tensor, begin, end).to(at::kFloat); };
    const at::Tensor q = part(query), k = part(key), of_out = part(grad);
    const auto [all, factors] = probabilities(q, k, p, generator);
    const at::Tensor of_all = at::matmul(of_out, part(value).transpose(1, 2)) * factors;
    const at::Tensor along = (of_all * all).sum(at::IntArrayRef{-1}, /*keepdim=*/true);
    const at::Tensor of_scores = (of_all - along) * all / std::sqrt(static_cast<double>(q.size(2)));
    heads(grads[0], begin, end).copy_(at::matmul(of_scores, k));
    heads(grads[1], begin, end).copy_(at::matmul(of_scores.transpose(1, 2), q));
    heads(grads[2], begin, end).copy_(at::matmul((all * factors).transpose(1, 2), of_out));
  });
  return grads;
}
