// f32 rounded to bfloat16.
//
// `values` are (rows, columns), side by side; rows of `out` begin `stride` elements apart.

#pragma once

#include <cstdint>

namespace distilburn {

void round_rows(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns);

// The same, brought back to f32.
void round_rows(float* out, int64_t stride, const float* values, int64_t rows, int64_t columns);

// Each row of values + added (columns), rounded once.
void round_sums(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns, const float* added);

}  // namespace distilburn
