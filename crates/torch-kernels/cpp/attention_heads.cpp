// Blocks of kRows queries against all keys of their sequence.

#include "attention_heads.h"

#include <algorithm>

#include "attention_rows.h"
#include "brgemm.h"
#include "pack.h"
#include "store.h"

namespace {

using namespace distilburn;

// The head's first row and column of a tensor, `stride` from row to row.
template <class T>
T* rows_of(T* tensor, const Head& head, int64_t stride) {
  return tensor + head.start * stride + head.column;
}

// The head's rows of queries, keys, values or gradients, (padded_length, d_head): as they are,
template <class T>
void copy_rows(T* out, const T* tensor, const Head& head, const Problem& problem) {
  const T* rows = rows_of(tensor, head, problem.stride);
  for (int64_t row = 0; row < head.length; ++row) {
    std::copy_n(rows + row * problem.stride, problem.d_head, out + row * problem.d_head);
  }
  std::fill(out + head.length * problem.d_head, out + head.padded_length * problem.d_head, T{0});
}

// packed (those of f32 are as they are),
void pack_rows(uint16_t* out, const uint16_t* tensor, const Head& head, const Problem& problem) {
  pack(out, rows_of(tensor, head, problem.stride), problem.stride, head.length, problem.d_head);
  const int64_t written = (head.length + 1) / 2 * 2;
  std::fill(out + written * problem.d_head, out + head.padded_length * problem.d_head, uint16_t{0});
}
void pack_rows(float* out, const float* tensor, const Head& head, const Problem& problem) {
  copy_rows(out, tensor, head, problem);
}

// and packed transposed, (d_head, padded_length).
template <class T>
void pack_rows_transposed(T* out, const T* tensor, const Head& head, const Problem& problem) {
  // How many rows of the transpose stand beside one another.
  constexpr int64_t kBeside = 4 / sizeof(T);
  const int64_t width = head.padded_length;
  pack_transposed(out, width, rows_of(tensor, head, problem.stride), problem.stride, head.length, problem.d_head);
  for (int64_t row = 0; row < problem.d_head / kBeside; ++row) {
    std::fill(out + kBeside * (row * width + head.length), out + kBeside * (row + 1) * width, T{0});
  }
}

// Factors of a row of probabilities; all are 1 without dropout.
template <class T>
const float* row_factors(const Head& head, const Problem& problem, int64_t row, Scratch<T>& scratch) {
  if (problem.drops) {
    keep_factors(scratch.factors.get(), head.in_sequence + row * head.length, head.length, head.draws);
  }
  return scratch.factors.get();
}

}  // namespace

template <class T>
distilburn::Scratch<T>::Scratch(int64_t longest, int64_t d_head)
    : rows(aligned<T>(longest * d_head)),
      block(aligned<T>(kRows * longest)),
      factors(aligned<float>(longest)),
      scores(aligned<float>(kRows * std::max(longest, d_head))),
      out(aligned<float>(longest * d_head)),
      more_out(aligned<float>(longest * d_head)) {
  for (auto& one : packed) one = aligned<T>(longest * d_head);
  for (auto& one : more_blocks) one = aligned<T>(kRows * longest);
  std::fill_n(factors.get(), longest, 1.0f);
}

template <class T>
void distilburn::forward_head(T* out, T* all_probabilities, const T* query, const T* key, const T* value,
                              const Head& head, const Problem& problem, Scratch<T>& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  T *rows = scratch.rows.get(), *keys = scratch.packed[0].get(), *values = scratch.packed[1].get();
  pack_rows_transposed(keys, key, head, problem);
  pack_rows(values, value, head, problem);
  copy_rows(rows, query, head, problem);
  T* weights = scratch.block.get();
  std::fill_n(weights, kRows * width, T{0});
  float *scores = scratch.scores.get(), *result = scratch.out.get();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, d_head, keys, kRows, width, d_head, false);
    for (int64_t row = 0; row < count; ++row) {
      T* weight_row = weights + row * width;
      softmax_row(weight_row, scores + row * width, length, width, problem.scale);
      if (all_probabilities != nullptr) {
        std::copy_n(weight_row, length, all_probabilities + head.in_all + (first + row) * length);
      }
      if (problem.drops) {
        drop_row(weight_row, weight_row, row_factors(head, problem, first + row, scratch), length);
      }
    }
    product(result, weights, width, values, kRows, d_head, width, false);
    store_rows(rows_of(out, head, problem.dim) + first * problem.dim, problem.dim, result, count, d_head);
  }
}

template <class T>
void distilburn::backward_head(T* grad_query, T* grad_key, T* grad_value, const T* grad, const T* query, const T* key,
                               const T* value, const T* all_probabilities, const Head& head, const Problem& problem,
                               Scratch<T>& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  T* rows = scratch.rows.get();
  T *queries = scratch.packed[0].get(), *keys = scratch.packed[1].get();
  T *values = scratch.packed[2].get(), *grads = scratch.packed[3].get();
  pack_rows(queries, query, head, problem);
  pack_rows(keys, key, head, problem);
  pack_rows_transposed(values, value, head, problem);
  pack_rows(grads, grad, head, problem);
  copy_rows(rows, grad, head, problem);

  T *weights = scratch.block.get(), *grad_scores = scratch.more_blocks[0].get();
  T *weights_t = scratch.more_blocks[1].get(), *grad_scores_t = scratch.more_blocks[2].get();
  std::fill_n(weights, kRows * width, T{0});
  std::fill_n(grad_scores, kRows * width, T{0});
  float *scores = scratch.scores.get(), *of_key = scratch.out.get(), *of_value = scratch.more_out.get();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, d_head, values, kRows, width, d_head, false);
    for (int64_t row = 0; row < count; ++row) {
      const T* probabilities = all_probabilities + head.in_all + (first + row) * length;
      const float* factors = row_factors(head, problem, first + row, scratch);
      drop_row(weights + row * width, probabilities, factors, length);
      softmax_row_backward(grad_scores + row * width, scores + row * width, probabilities, factors, length,
                           problem.scale);
    }
    // Below the last row: zeros, not what the block before left.
    std::fill(weights + count * width, weights + kRows * width, T{0});
    std::fill(grad_scores + count * width, grad_scores + kRows * width, T{0});
    transpose(weights_t, kRows, weights, width, kRows, width);
    transpose(grad_scores_t, kRows, grad_scores, width, kRows, width);
    product(of_value, weights_t, kRows, grads + first * d_head, width, d_head, kRows, first > 0);
    product(of_key, grad_scores_t, kRows, queries + first * d_head, width, d_head, kRows, first > 0);
    product(scores, grad_scores, width, keys, kRows, d_head, width, false);
    store_rows(rows_of(grad_query, head, problem.dim) + first * problem.dim, problem.dim, scores, count, d_head);
  }
  store_rows(rows_of(grad_key, head, problem.dim), problem.dim, of_key, length, d_head);
  store_rows(rows_of(grad_value, head, problem.dim), problem.dim, of_value, length, d_head);
}

template struct distilburn::Scratch<uint16_t>;
template struct distilburn::Scratch<float>;
template void distilburn::forward_head(uint16_t*, uint16_t*, const uint16_t*, const uint16_t*, const uint16_t*,
                                       const Head&, const Problem&, Scratch<uint16_t>&);
template void distilburn::forward_head(float*, float*, const float*, const float*, const float*, const Head&,
                                       const Problem&, Scratch<float>&);
template void distilburn::backward_head(uint16_t*, uint16_t*, uint16_t*, const uint16_t*, const uint16_t*,
                                        const uint16_t*, const uint16_t*, const uint16_t*, const Head&, const Problem&,
                                        Scratch<uint16_t>&);
template void distilburn::backward_head(float*, float*, float*, const float*, const float*, const float*, const float*,
                                        const float*, const Head&, const Problem&, Scratch<float>&);
