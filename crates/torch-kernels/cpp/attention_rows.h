// Rows of attention's blocks: softmax with its gradient, and dropout.

#pragma once

#include <cstdint>

namespace distilburn {

// A block's rows. Sums and comparisons run in as many lanes, as vector instructions do.
constexpr int64_t kRows = 32;

// A row of products → probabilities. `row` has `width` elements, a multiple of kRows, of which the first
// `length` count.
void softmax_row(uint16_t* probabilities, float* row, int64_t length, int64_t width, float scale);
void softmax_row(float* probabilities, float* row, int64_t length, int64_t width, float scale);

// The gradient of a row of products, from that of the dropped probabilities; `grad` is scratch afterwards.
void softmax_row_backward(uint16_t* out, float* grad, const uint16_t* probabilities, const float* factors,
                          int64_t length, float scale);
void softmax_row_backward(float* out, float* grad, const float* probabilities, const float* factors, int64_t length,
                          float scale);

void drop_row(uint16_t* out, const uint16_t* in, const float* factors, int64_t count);
void drop_row(float* out, const float* in, const float* factors, int64_t count);

}  // namespace distilburn
