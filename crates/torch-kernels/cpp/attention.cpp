// Self-attention within each sequence of a packed batch, in bfloat16 on the host, forward and backward.
//
// Queries, keys, values and outputs are (tokens, dim), a head being d_head neighbouring columns. A thread takes a whole
// head of a sequence, whose scores stay in its cache: blocks of kRows queries against all keys, products in bfloat16
// accumulated in f32 (oneDNN's brgemm, as LibTorch offers it), softmax and dropout in f32 on the block.
//
// For CPUs of x86-64 with AVX512-BF16 (or AMX), which is where brgemm multiplies bfloat16.
//
// Lengths are rounded up to a multiple of kRows inside of a head, with zeros. A product of a new shape costs oneDNN the
// making of machine code and some 300 kB: as they are, the lengths of SQuAD's features would be hundreds of shapes.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "common.h"

namespace {

using namespace distilburn;

constexpr int64_t kRows = 32;
// Added up or compared in lanes, as vector instructions do.
constexpr int64_t kLanes = 32;

int64_t padded(int64_t length) { return (length + kRows - 1) / kRows * kRows; }

// One head of one sequence.
struct Head {
  // The sequence's first token and its number of tokens; the same rounded up.
  int64_t start;
  int64_t length;
  int64_t padded_length;
  // The head's first column.
  int64_t column;
  // Where its probabilities, (length, length), begin among those of the sequence and among all.
  int64_t in_sequence;
  int64_t in_all;
  // The sequence's draws.
  Draws draws;
};

// What all heads share.
struct Problem {
  int64_t dim;
  int64_t d_head;
  float scale;
  bool drops;
};

// e^x for x ≤ 0, relative error 2e-7: Cephes' expf (Moshier). NaN stays NaN.
DISTILBURN_INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  // Adding and taking away 1.5 × 2²³ rounds to a whole number.
  const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power;
}

// A row of products → probabilities in bfloat16. `row` has `width` elements, a multiple of kLanes, of which the first
// `length` count.
DISTILBURN_CLONES void softmax_row(uint16_t* probabilities, float* row, int64_t length, int64_t width, float scale) {
  std::fill(row + length, row + width, -std::numeric_limits<float>::infinity());
  float lanes[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = row[lane];
  for (int64_t i = kLanes; i < width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = row[i + lane] > lanes[lane] ? row[i + lane] : lanes[lane];
    }
  }
  float greatest = lanes[0];
  for (int64_t lane = 1; lane < kLanes; ++lane) greatest = std::max(greatest, lanes[lane]);
  for (float& lane : lanes) lane = 0.0f;
  for (int64_t i = 0; i < width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = exponential((row[i + lane] - greatest) * scale);
      row[i + lane] = value;
      lanes[lane] += value;
    }
  }
  float sum = 0.0f;
  for (const float lane : lanes) sum += lane;
  const float inverse = 1.0f / sum;
  for (int64_t i = 0; i < length; ++i) probabilities[i] = narrow(row[i] * inverse);
}

DISTILBURN_CLONES void drop_row(uint16_t* out, const uint16_t* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow(widen(in[i]) * factors[i]);
}

// The gradient of a row of products, from that of the dropped probabilities; `grad` is scratch afterwards.
DISTILBURN_CLONES void softmax_row_backward(uint16_t* out, float* grad, const uint16_t* probabilities,
                                            const float* factors, int64_t length, float scale) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = grad[i + lane] * factors[i + lane];
      grad[i + lane] = value;
      lanes[lane] += value * widen(probabilities[i + lane]);
    }
  }
  float sum = 0.0f;
  for (; i < length; ++i) {
    grad[i] *= factors[i];
    sum += grad[i] * widen(probabilities[i]);
  }
  for (const float lane : lanes) sum += lane;
  for (i = 0; i < length; ++i) out[i] = narrow((grad[i] - sum) * widen(probabilities[i]) * scale);
}

DISTILBURN_CLONES void narrow_row(uint16_t* out, const float* in, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow(in[i]);
}

// (columns, rows) of (rows, columns)
DISTILBURN_CLONES void transpose(uint16_t* out, const uint16_t* in, int64_t columns) {
  for (int64_t column = 0; column < columns; ++column) {
    for (int64_t row = 0; row < kRows; ++row) out[column * kRows + row] = in[row * columns + column];
  }
}

const uint16_t* data_of(const at::Tensor& tensor) { return static_cast<const uint16_t*>(tensor.const_data_ptr()); }
uint16_t* data_of(at::Tensor& tensor) { return static_cast<uint16_t*>(tensor.data_ptr()); }

// The head's rows of a (tokens, dim) tensor, (padded_length, d_head).
void copy_rows(uint16_t* out, const uint16_t* tensor, const Head& head, const Problem& problem) {
  const uint16_t* rows = tensor + head.start * problem.dim + head.column;
  for (int64_t row = 0; row < head.length; ++row) {
    std::copy_n(rows + row * problem.dim, problem.d_head, out + row * problem.d_head);
  }
  std::fill(out + head.length * problem.d_head, out + head.padded_length * problem.d_head, uint16_t{0});
}

// The right factor of a product in brgemm's order (VNNI): two rows of it at a time, their elements in turns. From
// (padded_length, d_head) as it is:
void pack(uint16_t* out, const uint16_t* rows, const Head& head, const Problem& problem) {
  for (int64_t row = 0; row < head.padded_length; row += 2) {
    const uint16_t *even = rows + row * problem.d_head, *odd = even + problem.d_head;
    for (int64_t column = 0; column < problem.d_head; ++column) {
      out[row * problem.d_head + 2 * column] = even[column];
      out[row * problem.d_head + 2 * column + 1] = odd[column];
    }
  }
}

// and transposed, (d_head, padded_length):
void pack_transposed(uint16_t* out, const uint16_t* rows, const Head& head, const Problem& problem) {
  for (int64_t row = 0; row < head.padded_length; ++row) {
    for (int64_t column = 0; column < problem.d_head; column += 2) {
      std::copy_n(rows + row * problem.d_head + column, 2, out + column * head.padded_length + 2 * row);
    }
  }
}

// out (rows, columns) = left (rows, inner) × right, packed (inner, columns); added to what is there where `adds`.
void product(float* out, const uint16_t* left, const uint16_t* right, int64_t rows, int64_t columns, int64_t inner,
             bool adds) {
  at::native::cpublas::brgemm(rows, columns, inner, inner, columns, columns, adds,
                              reinterpret_cast<const at::BFloat16*>(left),
                              reinterpret_cast<const at::BFloat16*>(right), out);
}

// A thread's buffers, for heads of up to `longest` tokens.
struct Scratch {
  Scratch(int64_t longest, int64_t d_head)
      : rows(longest * d_head), block(kRows * longest), factors(longest, 1.0f), scores(kRows * std::max(longest, d_head)),
        out(longest * d_head) {
    for (auto& one : packed) one.resize(longest * d_head);
    for (auto& one : more_blocks) one.resize(kRows * longest);
    more_out.resize(longest * d_head);
  }

  std::vector<uint16_t> rows;
  std::vector<uint16_t> packed[4];
  std::vector<uint16_t> block;
  std::vector<uint16_t> more_blocks[3];
  std::vector<float> factors;
  // Of a block against all keys; in the backward pass the gradient of its queries too.
  std::vector<float> scores;
  std::vector<float> out;
  std::vector<float> more_out;
};

// Factors of a row of probabilities; all are 1 without dropout.
const float* row_factors(const Head& head, const Problem& problem, int64_t row, Scratch& scratch) {
  if (problem.drops) {
    keep_factors(scratch.factors.data(), head.in_sequence + row * head.length, head.length, head.draws);
  }
  return scratch.factors.data();
}

void forward_head(uint16_t* out, uint16_t* all_probabilities, const uint16_t* query, const uint16_t* key,
                  const uint16_t* value, const Head& head, const Problem& problem, Scratch& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  uint16_t *rows = scratch.rows.data(), *keys = scratch.packed[0].data(), *values = scratch.packed[1].data();
  copy_rows(rows, key, head, problem);
  pack_transposed(keys, rows, head, problem);
  copy_rows(rows, value, head, problem);
  pack(values, rows, head, problem);
  copy_rows(rows, query, head, problem);
  uint16_t* weights = scratch.block.data();
  std::fill_n(weights, kRows * width, uint16_t{0});
  float *scores = scratch.scores.data(), *result = scratch.out.data();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, keys, kRows, width, d_head, false);
    for (int64_t row = 0; row < count; ++row) {
      uint16_t* weight_row = weights + row * width;
      softmax_row(weight_row, scores + row * width, length, width, problem.scale);
      if (all_probabilities != nullptr) {
        std::copy_n(weight_row, length, all_probabilities + head.in_all + (first + row) * length);
      }
      if (problem.drops) {
        drop_row(weight_row, weight_row, row_factors(head, problem, first + row, scratch), length);
      }
    }
    product(result, weights, values, kRows, d_head, width, false);
    for (int64_t row = 0; row < count; ++row) {
      narrow_row(out + (head.start + first + row) * problem.dim + head.column, result + row * d_head, d_head);
    }
  }
}

void backward_head(uint16_t* grad_query, uint16_t* grad_key, uint16_t* grad_value, const uint16_t* grad,
                   const uint16_t* query, const uint16_t* key, const uint16_t* value,
                   const uint16_t* all_probabilities, const Head& head, const Problem& problem, Scratch& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  uint16_t* rows = scratch.rows.data();
  uint16_t *queries = scratch.packed[0].data(), *keys = scratch.packed[1].data();
  uint16_t *values = scratch.packed[2].data(), *grads = scratch.packed[3].data();
  copy_rows(rows, query, head, problem);
  pack(queries, rows, head, problem);
  copy_rows(rows, key, head, problem);
  pack(keys, rows, head, problem);
  copy_rows(rows, value, head, problem);
  pack_transposed(values, rows, head, problem);
  copy_rows(rows, grad, head, problem);
  pack(grads, rows, head, problem);

  uint16_t *weights = scratch.block.data(), *grad_scores = scratch.more_blocks[0].data();
  uint16_t *weights_t = scratch.more_blocks[1].data(), *grad_scores_t = scratch.more_blocks[2].data();
  std::fill_n(weights, kRows * width, uint16_t{0});
  std::fill_n(grad_scores, kRows * width, uint16_t{0});
  float *scores = scratch.scores.data(), *of_key = scratch.out.data(), *of_value = scratch.more_out.data();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, values, kRows, width, d_head, false);
    for (int64_t row = 0; row < count; ++row) {
      const uint16_t* probabilities = all_probabilities + head.in_all + (first + row) * length;
      const float* factors = row_factors(head, problem, first + row, scratch);
      drop_row(weights + row * width, probabilities, factors, length);
      softmax_row_backward(grad_scores + row * width, scores + row * width, probabilities, factors, length,
                           problem.scale);
    }
    // Below the last row: zeros, not what the block before left.
    std::fill(weights + count * width, weights + kRows * width, uint16_t{0});
    std::fill(grad_scores + count * width, grad_scores + kRows * width, uint16_t{0});
    transpose(weights_t, weights, width);
    transpose(grad_scores_t, grad_scores, width);
    product(of_value, weights_t, grads + first * d_head, width, d_head, kRows, first > 0);
    product(of_key, grad_scores_t, queries + first * d_head, width, d_head, kRows, first > 0);
    product(scores, grad_scores, keys, kRows, d_head, width, false);
    for (int64_t row = 0; row < count; ++row) {
      narrow_row(grad_query + (head.start + first + row) * problem.dim + head.column, scores + row * d_head, d_head);
    }
  }
  for (int64_t row = 0; row < length; ++row) {
    const int64_t at = (head.start + row) * problem.dim + head.column;
    narrow_row(grad_key + at, of_key + row * d_head, d_head);
    narrow_row(grad_value + at, of_value + row * d_head, d_head);
  }
}

// How the batch is divided and what applies to it, as the caller says it.
struct Batch {
  const int64_t* cu_seqlens;
  int64_t sequences;
  int64_t n_heads;
  // 0: no dropout.
  double p;
  // One for each sequence.
  const uint64_t* seeds;
};

// All heads, those of one sequence far apart: a thread's share of neighbours then has some of every sequence.
std::vector<Head> heads_of(const Batch& batch, int64_t d_head) {
  std::vector<Head> heads;
  heads.reserve(batch.sequences * batch.n_heads);
  for (int64_t head = 0; head < batch.n_heads; ++head) {
    int64_t probabilities = 0;
    for (int64_t sequence = 0; sequence < batch.sequences; ++sequence) {
      const int64_t start = batch.cu_seqlens[sequence], length = batch.cu_seqlens[sequence + 1] - start;
      const int64_t in_sequence = head * length * length;
      heads.push_back({start, length, padded(length), head * d_head, in_sequence, probabilities + in_sequence,
                       Draws(batch.p, batch.seeds[sequence])});
      probabilities += batch.n_heads * length * length;
    }
  }
  return heads;
}

void check(const at::Tensor& tensor, const at::Tensor& like) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == at::kBFloat16 &&
                  tensor.sizes() == like.sizes(),
              "attention: host, contiguous, bfloat16, of one shape");
}

template <class F>
void for_each_head(const Batch& batch, const at::Tensor& query, F f) {
  const int64_t dim = query.size(1), d_head = dim / batch.n_heads;
  TORCH_CHECK(d_head % 2 == 0, "attention: an even number of columns in a head");
  const Problem problem{dim, d_head, static_cast<float>(1.0 / std::sqrt(static_cast<double>(d_head))), batch.p > 0.0};
  const auto heads = heads_of(batch, d_head);
  int64_t longest = kRows;
  for (const Head& head : heads) longest = std::max(longest, head.padded_length);
  at::parallel_for(0, static_cast<int64_t>(heads.size()), 1, [&](int64_t first, int64_t last) {
    Scratch scratch(longest, d_head);
    for (int64_t i = first; i < last; ++i) f(heads[i], problem, scratch);
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace

extern "C" {

// out = dropout(softmax(q kᵀ / √d_head)) v. `probabilities`, before dropout, are those of all sequences in one row,
// (n_heads, length, length) each; null where nobody wants them.
char* distilburn_attention_forward(at::Tensor* out, at::Tensor* probabilities, at::Tensor* query, at::Tensor* key,
                                   at::Tensor* value, const int64_t* cu_seqlens, int64_t sequences, int64_t n_heads,
                                   double p, const uint64_t* seeds) {
  return guarded([&] {
    for (const at::Tensor* tensor : {out, query, key, value}) check(*tensor, *query);
    uint16_t* all = probabilities == nullptr ? nullptr : data_of(*probabilities);
    for_each_head({cu_seqlens, sequences, n_heads, p, seeds}, *query,
                  [&](const Head& head, const Problem& problem, Scratch& scratch) {
                    forward_head(data_of(*out), all, data_of(*query), data_of(*key), data_of(*value), head, problem,
                                 scratch);
                  });
  });
}

// Gradients of query, key and value, into grads[0..3].
char* distilburn_attention_backward(at::Tensor** grads, at::Tensor* grad, at::Tensor* query, at::Tensor* key,
                                    at::Tensor* value, at::Tensor* probabilities, const int64_t* cu_seqlens,
                                    int64_t sequences, int64_t n_heads, double p, const uint64_t* seeds) {
  return guarded([&] {
    for (const at::Tensor* tensor : {grads[0], grads[1], grads[2], grad, query, key, value}) check(*tensor, *query);
    for_each_head({cu_seqlens, sequences, n_heads, p, seeds}, *query,
                  [&](const Head& head, const Problem& problem, Scratch& scratch) {
                    backward_head(data_of(*grads[0]), data_of(*grads[1]), data_of(*grads[2]), data_of(*grad),
                                  data_of(*query), data_of(*key), data_of(*value), data_of(*probabilities), head,
                                  problem, scratch);
                  });
  });
}

}  // extern "C"
