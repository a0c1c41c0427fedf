// Self-attention within each sequence of a packed batch on the host, in bfloat16 and f32, forward and backward.
//
// Queries, keys, values and outputs are (tokens, dim), a head being d_head neighbouring columns. A thread takes a whole
// head of a sequence, whose scores stay in its cache: blocks of kRows queries against all keys, products accumulated in f32
// (brgemm.h), softmax and dropout in f32 on the block (attention_rows.h).
//
// For machines where distilburn_brgemm_multiplies.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "attention_heads.h"
#include "attention_rows.h"
#include "brgemm.h"
#include "error.h"
#include "in_turns.h"

namespace {

using namespace distilburn;

int64_t padded(int64_t length) { return (length + kRows - 1) / kRows * kRows; }

template <class T>
const T* data_of(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <class T>
T* data_of(at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// How the batch is divided and what applies to it, as the caller says it.
struct Batch {
  // (sequences + 1): sequence i holds tokens cu_seqlens[i] to cu_seqlens[i + 1], and its probabilities stand at
  // probability_starts[i] to probability_starts[i + 1].
  const int64_t* cu_seqlens;
  const int64_t* probability_starts;
  // (sequences): what each draws from.
  const uint64_t* seeds;
  int64_t sequences;
  int64_t n_heads;
  // 0: no dropout.
  double p;
};

// All heads of all sequences.
std::vector<Head> heads_of(const Batch& batch, int64_t d_head) {
  std::vector<Head> heads;
  heads.reserve(batch.sequences * batch.n_heads);
  for (int64_t head = 0; head < batch.n_heads; ++head) {
    for (int64_t sequence = 0; sequence < batch.sequences; ++sequence) {
      const int64_t start = batch.cu_seqlens[sequence], length = batch.cu_seqlens[sequence + 1] - start;
      const int64_t in_sequence = head * length * length;
      heads.push_back({start, length, padded(length), head * d_head, in_sequence,
                       batch.probability_starts[sequence] + in_sequence, Draws(batch.p, batch.seeds[sequence])});
    }
  }
  return heads;
}

void check(const Batch& batch, const at::Tensor& query) {
  TORCH_CHECK(query.dim() == 2 && batch.n_heads > 0 && query.size(1) > 0 && query.size(1) % (2 * batch.n_heads) == 0,
              "attention: (tokens, dim), an even number of columns in a head");
  TORCH_CHECK(batch.p >= 0.0 && batch.p < 1.0, "attention: p in [0, 1)");
  const auto *tokens = batch.cu_seqlens, *starts = batch.probability_starts;
  TORCH_CHECK(tokens[0] == 0 && tokens[batch.sequences] == query.size(0) && starts[0] == 0,
              "attention: cu_seqlens from 0 to the number of tokens");
  for (int64_t sequence = 0; sequence < batch.sequences; ++sequence) {
    const int64_t length = tokens[sequence + 1] - tokens[sequence];
    TORCH_CHECK(length >= 0, "attention: cu_seqlens ascend");
    TORCH_CHECK(starts[sequence + 1] - starts[sequence] == batch.n_heads * length * length,
                "attention: probabilities (n_heads, length, length) of each sequence");
  }
}

void check(const at::Tensor& tensor, at::ScalarType type) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == type,
              "attention: host, contiguous, ", type);
}

void check(const at::Tensor& tensor, const at::Tensor& like, at::ScalarType type) {
  check(tensor, type);
  TORCH_CHECK(tensor.sizes() == like.sizes(), "attention: of one shape");
}

// Rows of queries, keys and values may stand apart, all alike.
void check_rows(const at::Tensor& tensor, const at::Tensor& like) {
  TORCH_CHECK(tensor.is_cpu() && tensor.scalar_type() == like.scalar_type() && tensor.sizes() == like.sizes(),
              "attention: host, of one type and shape");
  TORCH_CHECK(tensor.stride(1) == 1 && tensor.stride(0) >= tensor.size(1) && tensor.stride(0) == like.stride(0),
              "attention: rows of neighbouring columns");
}

at::ScalarType checked_type(const at::Tensor& query) {
  const at::ScalarType type = query.scalar_type();
  TORCH_CHECK(type == at::kBFloat16 || type == at::kFloat, "attention: bfloat16 or float");
  return type;
}

void check_probabilities(const at::Tensor& probabilities, const Batch& batch, at::ScalarType type) {
  check(probabilities, type);
  TORCH_CHECK(probabilities.numel() == batch.probability_starts[batch.sequences],
              "attention: as many probabilities as the sequences have");
}

template <class T, class F>
void for_each_head(const Batch& batch, const at::Tensor& query, F f) {
  const int64_t dim = query.size(1), d_head = dim / batch.n_heads;
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d_head)));
  const Problem problem{dim, query.stride(0), d_head, scale, batch.p > 0.0};
  const auto heads = heads_of(batch, d_head);
  int64_t longest = kRows;
  for (const Head& head : heads) longest = std::max(longest, head.padded_length);
  in_turns(static_cast<int64_t>(heads.size()), [&](const auto& take) {
    Scratch<T> scratch(longest, d_head);
    const Products products;
    for (int64_t i = take(); i >= 0; i = take()) f(heads[i], problem, scratch);
  });
}

template <class T>
void forward(at::Tensor& out, at::Tensor* probabilities, const at::Tensor& query, const at::Tensor& key,
             const at::Tensor& value, const Batch& batch) {
  T* all = probabilities == nullptr ? nullptr : data_of<T>(*probabilities);
  for_each_head<T>(batch, query, [&](const Head& head, const Problem& problem, Scratch<T>& scratch) {
    forward_head(data_of<T>(out), all, data_of<T>(query), data_of<T>(key), data_of<T>(value), head, problem, scratch);
  });
}

template <class T>
void backward(at::Tensor** grads, const at::Tensor& grad, const at::Tensor& query, const at::Tensor& key,
              const at::Tensor& value, const at::Tensor& probabilities, const Batch& batch) {
  for_each_head<T>(batch, query, [&](const Head& head, const Problem& problem, Scratch<T>& scratch) {
    backward_head(data_of<T>(*grads[0]), data_of<T>(*grads[1]), data_of<T>(*grads[2]), data_of<T>(grad),
                  data_of<T>(query), data_of<T>(key), data_of<T>(value), data_of<T>(probabilities), head, problem,
                  scratch);
  });
}

}  // namespace

extern "C" {

// out = dropout(softmax(q kᵀ / √d_head)) v. `probabilities`, before dropout, are those of all sequences in one row,
// (n_heads, length, length) each; null where nobody wants them.
char* distilburn_attention_forward(at::Tensor* out, at::Tensor* probabilities, at::Tensor* query, at::Tensor* key,
                                   at::Tensor* value, const Batch* batch) {
  return guarded([&] {
    check(*batch, *query);
    const at::ScalarType type = checked_type(*query);
    for (const at::Tensor* tensor : {query, key, value}) check_rows(*tensor, *query);
    check(*out, *query, type);
    if (probabilities != nullptr) check_probabilities(*probabilities, *batch, type);
    if (type == at::kFloat) {
      forward<float>(*out, probabilities, *query, *key, *value, *batch);
    } else {
      forward<uint16_t>(*out, probabilities, *query, *key, *value, *batch);
    }
  });
}

// Gradients of query, key and value, into grads[0..3].
char* distilburn_attention_backward(at::Tensor** grads, at::Tensor* grad, at::Tensor* query, at::Tensor* key,
                                    at::Tensor* value, at::Tensor* probabilities, const Batch* batch) {
  return guarded([&] {
    check(*batch, *query);
    const at::ScalarType type = checked_type(*query);
    for (const at::Tensor* tensor : {grads[0], grads[1], grads[2], grad, query, key, value}) {
      check(*tensor, *query, type);
    }
    check_probabilities(*probabilities, *batch, type);
    if (type == at::kFloat) {
      backward<float>(grads, *grad, *query, *key, *value, *probabilities, *batch);
    } else {
      backward<uint16_t>(grads, *grad, *query, *key, *value, *probabilities, *batch);
    }
  });
}

}  // extern "C"
