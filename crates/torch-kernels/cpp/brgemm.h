// Products of bfloat16 added up in f32: oneDNN's brgemm, as LibTorch offers it.

#pragma once

#include <cstdint>

namespace distilburn {

// out (rows, columns) = left (rows, inner), `left_stride` from row to row, × right (inner, columns), packed (pack.h); added
// to what is there where `adds`.
void product(float* out, const uint16_t* left, int64_t left_stride, const uint16_t* right, int64_t rows,
             int64_t columns, int64_t inner, bool adds);

// The same of f32, `right` as it is.
void product(float* out, const float* left, int64_t left_stride, const float* right, int64_t rows, int64_t columns,
             int64_t inner, bool adds);

// Gives back at its end what products take of the thread's hardware (AMX's tiles).
struct Products {
  Products() = default;
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();
};

}  // namespace distilburn
