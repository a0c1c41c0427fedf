// Products of bfloat16 added up in f32: oneDNN's brgemm, as LibTorch offers it.

#pragma once

#include <cstdint>

namespace distilburn {

// The right factor of a product in brgemm's order (VNNI): two rows of it at a time, their elements in turns. From
// (count, columns) as it is, `count` even:
void pack(uint16_t* out, const uint16_t* rows, int64_t count, int64_t columns);

// and transposed, (columns, count), `columns` even:
void pack_transposed(uint16_t* out, const uint16_t* rows, int64_t count, int64_t columns);

// out (rows, columns) = left (rows, inner) × right, packed (inner, columns); added to what is there where `adds`.
void product(float* out, const uint16_t* left, const uint16_t* right, int64_t rows, int64_t columns, int64_t inner,
             bool adds);

// Gives back at its end what products take of the thread's hardware (AMX's tiles).
struct Products {
  Products() = default;
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();
};

}  // namespace distilburn
