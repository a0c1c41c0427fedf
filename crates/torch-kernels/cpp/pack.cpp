// All three are one thing on pairs of elements: a pair is two of a row or two of a column, and stays or is transposed.
// AVX-512 takes blocks of 16 × 16 pairs; what is left over at the edges, and other processors, go pair by pair.

#include "pack.h"

#include <algorithm>
#include <cstring>

#include "aligned.h"
#include "avx512.h"
#include "simd.h"

namespace {

using namespace distilburn;

DISTILBURN_INLINE uint16_t bf16(uint16_t value) { return value; }
DISTILBURN_INLINE uint16_t bf16(float value) { return narrow(value); }

constexpr uint32_t joined(uint16_t first, uint16_t second) { return first | static_cast<uint32_t>(second) << 16; }

// Elements 2 × column and 2 × column + 1 of a row.
template <class T>
struct AlongRows {
  const T* rows;
  int64_t stride;

  uint32_t at(int64_t row, int64_t column) const {
    const T* pair = rows + row * stride + 2 * column;
    return joined(bf16(pair[0]), bf16(pair[1]));
  }
};

// Elements of a column in rows 2 × row and 2 × row + 1.
template <class T>
struct AlongColumns {
  const T* rows;
  int64_t stride;
  int64_t count;

  // Has the cache read the row: those of a panel are short and far apart, which no processor foresees.
  void fetch(int64_t row, int64_t columns) const {
    for (int64_t each = 2 * row; each < std::min(2 * row + 2, count); ++each) fetch_row(rows + each * stride, columns);
  }

  uint32_t at(int64_t row, int64_t column) const {
    const T* first = rows + 2 * row * stride + column;
    return joined(bf16(*first), 2 * row + 1 < count ? bf16(first[stride]) : uint16_t{0});
  }
};

// Elements of f32, which are as wide as a pair.
struct Whole {
  const float* rows;
  int64_t stride;

  uint32_t at(int64_t row, int64_t column) const {
    uint32_t bits;
    std::memcpy(&bits, rows + row * stride + column, sizeof bits);
    return bits;
  }
};

#if defined(__x86_64__)

// 32 elements from two places.
DISTILBURN_AVX512 inline __m512i elements(const float* lower, const float* upper) {
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(upper), _mm512_loadu_ps(lower));
}
DISTILBURN_AVX512 inline __m512i elements(const uint16_t* lower, const uint16_t* upper) {
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lower));
  return _mm512_inserti64x4(_mm512_castsi256_si512(first),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper)), 1);
}

// How many rows of pairs ahead the cache reads.
constexpr int64_t kAhead = 8;

template <class T>
DISTILBURN_AVX512 inline __m512i pairs(const AlongColumns<T>& from, int64_t row, int64_t column) {
  const T* first = from.rows + 2 * row * from.stride + column;
  // The two halves' elements in turns.
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, elements(first, first + from.stride));
}
template <class T>
DISTILBURN_AVX512 inline __m512i pairs(const AlongRows<T>& from, int64_t row, int64_t column) {
  const T* first = from.rows + row * from.stride + 2 * column;
  return elements(first, first + 16);
}

DISTILBURN_AVX512 inline __m512i pairs(const Whole& from, int64_t row, int64_t column) {
  return _mm512_loadu_si512(from.rows + row * from.stride + column);
}

// 16 × 16 pairs from (row, column), to (column, row): unpacking transposes 4 × 4 of them in each quarter of the
// vectors, then the quarters change places.
template <class Pairs>
DISTILBURN_AVX512 inline void transpose_block(uint32_t* out, int64_t out_stride, const Pairs& from, int64_t row,
                                              int64_t column) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = pairs(from, row + i, column);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i even_above = _mm512_shuffle_i32x4(a[i], a[i + 4], 0x88);
    const __m512i odd_above = _mm512_shuffle_i32x4(a[i], a[i + 4], 0xdd);
    const __m512i even_below = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0x88);
    const __m512i odd_below = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0xdd);
    const __m512i quarters[4] = {_mm512_shuffle_i32x4(even_above, even_below, 0x88),
                                 _mm512_shuffle_i32x4(odd_above, odd_below, 0x88),
                                 _mm512_shuffle_i32x4(even_above, even_below, 0xdd),
                                 _mm512_shuffle_i32x4(odd_above, odd_below, 0xdd)};
    for (int quarter = 0; quarter < 4; ++quarter) {
      _mm512_storeu_si512(out + (column + 4 * quarter + i) * out_stride + row, quarters[quarter]);
    }
  }
}

// How many of the rows and columns of pairs are done here, from the first ones on.
struct Done {
  int64_t rows;
  int64_t columns;
};

template <class Pairs>
DISTILBURN_AVX512 Done transpose_blocks(uint32_t* out, int64_t out_stride, const Pairs& from, int64_t rows,
                                        int64_t columns) {
  const Done done{rows / 16 * 16, columns / 16 * 16};
  for (int64_t row = 0; row < done.rows; row += 16) {
    for (int64_t column = 0; column < done.columns; column += 16) transpose_block(out, out_stride, from, row, column);
  }
  return done;
}

template <class Pairs>
DISTILBURN_AVX512 Done copy_blocks(uint32_t* out, const Pairs& from, int64_t rows, int64_t columns) {
  const Done done{rows, columns / 16 * 16};
  for (int64_t row = 0; row < rows; ++row) {
    from.fetch(row + kAhead, columns);
    for (int64_t column = 0; column < done.columns; column += 16) {
      _mm512_storeu_si512(out + row * columns + column, pairs(from, row, column));
    }
  }
  return done;
}

#endif

// Pairs (rows, columns) to (columns, rows). Of them the first `whole_rows` lie fully within the matrix.
template <class Pairs>
void transpose_pairs(uint32_t* out, int64_t out_stride, const Pairs& from, int64_t rows, int64_t whole_rows,
                     int64_t columns) {
  int64_t done_rows = 0, done_columns = 0;
#if defined(__x86_64__)
  if (has_avx512_bf16()) {
    const Done done = transpose_blocks(out, out_stride, from, whole_rows, columns);
    done_rows = done.rows, done_columns = done.columns;
  }
#endif
  for (int64_t column = 0; column < columns; ++column) {
    for (int64_t row = column < done_columns ? done_rows : 0; row < rows; ++row) {
      out[column * out_stride + row] = from.at(row, column);
    }
  }
}

template <class T>
void pack_pairs(uint32_t* out, const AlongColumns<T>& from, int64_t columns) {
  int64_t done_rows = 0, done_columns = 0;
#if defined(__x86_64__)
  if (has_avx512_bf16()) {
    const Done done = copy_blocks(out, from, from.count / 2, columns);
    done_rows = done.rows, done_columns = done.columns;
  }
#endif
  for (int64_t row = 0; row < (from.count + 1) / 2; ++row) {
    for (int64_t column = row < done_rows ? done_columns : 0; column < columns; ++column) {
      out[row * columns + column] = from.at(row, column);
    }
  }
}

// Two bfloat16 that stand beside one another, the first in the lower half: so little-endian processors read them.
uint32_t* as_pairs(uint16_t* out) { return reinterpret_cast<uint32_t*>(out); }

}  // namespace

void distilburn::pack(uint16_t* out, const uint16_t* rows, int64_t stride, int64_t count, int64_t columns) {
  pack_pairs(as_pairs(out), AlongColumns<uint16_t>{rows, stride, count}, columns);
}

void distilburn::pack(uint16_t* out, const float* rows, int64_t stride, int64_t count, int64_t columns) {
  pack_pairs(as_pairs(out), AlongColumns<float>{rows, stride, count}, columns);
}

void distilburn::pack_transposed(uint16_t* out, int64_t width, const uint16_t* rows, int64_t stride, int64_t count,
                                 int64_t columns) {
  transpose_pairs(as_pairs(out), width, AlongRows<uint16_t>{rows, stride}, count, count, columns / 2);
}

void distilburn::pack_transposed(uint16_t* out, int64_t width, const float* rows, int64_t stride, int64_t count,
                                 int64_t columns) {
  transpose_pairs(as_pairs(out), width, AlongRows<float>{rows, stride}, count, count, columns / 2);
}

void distilburn::pack_transposed(float* out, int64_t width, const float* rows, int64_t stride, int64_t count,
                                 int64_t columns) {
  transpose_pairs(reinterpret_cast<uint32_t*>(out), width, Whole{rows, stride}, count, count, columns);
}

void distilburn::transpose(uint16_t* out, int64_t out_stride, const uint16_t* rows, int64_t stride, int64_t count,
                           int64_t columns) {
  transpose_pairs(as_pairs(out), out_stride / 2, AlongColumns<uint16_t>{rows, stride, count}, (count + 1) / 2,
                  count / 2, columns);
}
