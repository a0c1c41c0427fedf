// Matrices brought into the orders that brgemm reads: from bfloat16, or from f32, rounded.
//
// `rows` are (count, columns), `stride` elements apart from row to row.

#pragma once

#include <cstdint>

namespace distilburn {

// Two rows at a time, their elements in turns (VNNI): (⌈count / 2⌉, columns, 2). Zeros stand in for a last odd row.
void pack(uint16_t* out, const uint16_t* rows, int64_t stride, int64_t count, int64_t columns);
void pack(uint16_t* out, const float* rows, int64_t stride, int64_t count, int64_t columns);

// The same of the transpose, (columns / 2, width, 2), of which the first `count` are written; `columns` even.
void pack_transposed(uint16_t* out, int64_t width, const uint16_t* rows, int64_t stride, int64_t count,
                     int64_t columns);
void pack_transposed(uint16_t* out, int64_t width, const float* rows, int64_t stride, int64_t count, int64_t columns);

// A transpose of f32, (columns, width), of which the first `count` of each row are written.
void pack_transposed(float* out, int64_t width, const float* rows, int64_t stride, int64_t count, int64_t columns);

// The transpose as it is, (columns, count), `out_stride` elements from row to row. In bfloat16, zeros stand in for a last odd
// row.
void transpose(uint16_t* out, int64_t out_stride, const uint16_t* rows, int64_t stride, int64_t count, int64_t columns);
inline void transpose(float* out, int64_t out_stride, const float* rows, int64_t stride, int64_t count,
                      int64_t columns) {
  pack_transposed(out, out_stride, rows, stride, count, columns);
}

}  // namespace distilburn
