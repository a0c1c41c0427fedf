// Blocks of kRows queries against all keys of their sequence.

#include "attention_heads.h"

#include <algorithm>

#include "attention_rows.h"
#include "brgemm.h"
#include "pack.h"

namespace {

using namespace distilburn;

// The head's rows of a (tokens, dim) tensor, (padded_length, d_head).
void copy_rows(uint16_t* out, const uint16_t* tensor, const Head& head, const Problem& problem) {
  const uint16_t* rows = tensor + head.start * problem.dim + head.column;
  for (int64_t row = 0; row < head.length; ++row) {
    std::copy_n(rows + row * problem.dim, problem.d_head, out + row * problem.d_head);
  }
  std::fill(out + head.length * problem.d_head, out + head.padded_length * problem.d_head, uint16_t{0});
}

// Factors of a row of probabilities; all are 1 without dropout.
const float* row_factors(const Head& head, const Problem& problem, int64_t row, Scratch& scratch) {
  if (problem.drops) {
    keep_factors(scratch.factors.data(), head.in_sequence + row * head.length, head.length, head.draws);
  }
  return scratch.factors.data();
}

}  // namespace

distilburn::Scratch::Scratch(int64_t longest, int64_t d_head)
    : rows(longest * d_head),
      block(kRows * longest),
      factors(longest, 1.0f),
      scores(kRows * std::max(longest, d_head)),
      out(longest * d_head),
      more_out(longest * d_head) {
  for (auto& one : packed) one.resize(longest * d_head);
  for (auto& one : more_blocks) one.resize(kRows * longest);
}

void distilburn::forward_head(uint16_t* out, uint16_t* all_probabilities, const uint16_t* query,
                              const uint16_t* key, const uint16_t* value, const Head& head, const Problem& problem,
                              Scratch& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  uint16_t *rows = scratch.rows.data(), *keys = scratch.packed[0].data(), *values = scratch.packed[1].data();
  copy_rows(rows, key, head, problem);
  pack_transposed(keys, rows, d_head, width, d_head);
  copy_rows(rows, value, head, problem);
  pack(values, rows, d_head, width, d_head);
  copy_rows(rows, query, head, problem);
  uint16_t* weights = scratch.block.data();
  std::fill_n(weights, kRows * width, uint16_t{0});
  float *scores = scratch.scores.data(), *result = scratch.out.data();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, d_head, keys, kRows, width, d_head, false);
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
    product(result, weights, width, values, kRows, d_head, width, false);
    for (int64_t row = 0; row < count; ++row) {
      narrow_row(out + (head.start + first + row) * problem.dim + head.column, result + row * d_head, d_head);
    }
  }
}

void distilburn::backward_head(uint16_t* grad_query, uint16_t* grad_key, uint16_t* grad_value, const uint16_t* grad,
                               const uint16_t* query, const uint16_t* key, const uint16_t* value,
                               const uint16_t* all_probabilities, const Head& head, const Problem& problem,
                               Scratch& scratch) {
  const int64_t length = head.length, width = head.padded_length, d_head = problem.d_head;
  uint16_t* rows = scratch.rows.data();
  uint16_t *queries = scratch.packed[0].data(), *keys = scratch.packed[1].data();
  uint16_t *values = scratch.packed[2].data(), *grads = scratch.packed[3].data();
  copy_rows(rows, query, head, problem);
  pack(queries, rows, d_head, width, d_head);
  copy_rows(rows, key, head, problem);
  pack(keys, rows, d_head, width, d_head);
  copy_rows(rows, value, head, problem);
  pack_transposed(values, rows, d_head, width, d_head);
  copy_rows(rows, grad, head, problem);
  pack(grads, rows, d_head, width, d_head);

  uint16_t *weights = scratch.block.data(), *grad_scores = scratch.more_blocks[0].data();
  uint16_t *weights_t = scratch.more_blocks[1].data(), *grad_scores_t = scratch.more_blocks[2].data();
  std::fill_n(weights, kRows * width, uint16_t{0});
  std::fill_n(grad_scores, kRows * width, uint16_t{0});
  float *scores = scratch.scores.data(), *of_key = scratch.out.data(), *of_value = scratch.more_out.data();
  for (int64_t first = 0; first < length; first += kRows) {
    const int64_t count = std::min(kRows, length - first);
    product(scores, rows + first * d_head, d_head, values, kRows, width, d_head, false);
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
    transpose(weights_t, kRows, weights, width, kRows, width);
    transpose(grad_scores_t, kRows, grad_scores, width, kRows, width);
    product(of_value, weights_t, kRows, grads + first * d_head, width, d_head, kRows, first > 0);
    product(of_key, grad_scores_t, kRows, queries + first * d_head, width, d_head, kRows, first > 0);
    product(scores, grad_scores, width, keys, kRows, d_head, width, false);
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
