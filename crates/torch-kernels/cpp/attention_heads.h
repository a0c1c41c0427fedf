// Attention of one head of one sequence.
//
// Lengths are rounded up to a multiple of kRows inside of a head, with zeros. A product of a new shape costs oneDNN the
// making of machine code and some 300 kB: as they are, the lengths of SQuAD's features would be hundreds of shapes.

#pragma once

#include <cstdint>

#include "aligned.h"
#include "draws.h"

namespace distilburn {

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
  // From row to row of outputs, and of queries, keys and values.
  int64_t dim;
  int64_t stride;
  int64_t d_head;
  float scale;
  bool drops;
};

// A thread's buffers, for heads of up to `longest` tokens and elements T: bfloat16 or f32.
template <class T>
struct Scratch {
  Scratch(int64_t longest, int64_t d_head);

  Aligned<T> rows;
  Aligned<T> packed[4];
  Aligned<T> block;
  Aligned<T> more_blocks[3];
  // All 1 where nothing is dropped.
  Aligned<float> factors;
  // Of a block against all keys; in the backward pass the gradient of its queries too.
  Aligned<float> scores;
  Aligned<float> out;
  Aligned<float> more_out;
};

// The head's columns of out and, unless it is null, its part of all_probabilities.
template <class T>
void forward_head(T* out, T* all_probabilities, const T* query, const T* key, const T* value, const Head& head,
                  const Problem& problem, Scratch<T>& scratch);

// The head's columns of the three gradients.
template <class T>
void backward_head(T* grad_query, T* grad_key, T* grad_value, const T* grad, const T* query, const T* key,
                   const T* value, const T* all_probabilities, const Head& head, const Problem& problem,
                   Scratch<T>& scratch);

}  // namespace distilburn
