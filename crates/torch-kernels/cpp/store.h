// Results in f32, stored as bfloat16 or as they are.
//
// `values` are (rows, columns), side by side; rows of `out` begin `stride` elements apart.

#pragma once

#include <cstdint>

namespace distilburn {

// Rounded.
void store_rows(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns);

// As they are.
void store_rows(float* out, int64_t stride, const float* values, int64_t rows, int64_t columns);

// Each row + added (columns), rounded once.
void store_sums(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns, const float* added);

}  // namespace distilburn
