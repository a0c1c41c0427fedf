#include "store.h"

#include "avx512.h"
#include "simd.h"

namespace {

using namespace distilburn;

struct AsTheyAre {
  float at(float value, int64_t) const { return value; }
#if defined(__x86_64__)
  DISTILBURN_AVX512 __m512 at(__m512 values, int64_t) const { return values; }
#endif
};

struct Plus {
  const float* added;

  float at(float value, int64_t column) const { return value + added[column]; }
#if defined(__x86_64__)
  DISTILBURN_AVX512 __m512 at(__m512 values, int64_t column) const {
    return _mm512_add_ps(values, _mm512_loadu_ps(added + column));
  }
#endif
};

#if defined(__x86_64__)

DISTILBURN_AVX512 inline void store(uint16_t* out, __m512 values) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), (__m256i)_mm512_cvtneps_pbh(values));
}
DISTILBURN_AVX512 inline void store(float* out, __m512 values) { _mm512_storeu_ps(out, values); }

template <class Out, class Values>
DISTILBURN_AVX512 void store_vectors(Out* out, int64_t stride, const float* values, int64_t rows, int64_t columns,
                                     Values changed) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column + 16 <= columns; column += 16) {
      store(out + row * stride + column, changed.at(_mm512_loadu_ps(values + row * columns + column), column));
    }
  }
}

#endif

template <class Out, class Values>
void store_all(Out* out, int64_t stride, const float* values, int64_t rows, int64_t columns, Values changed) {
  int64_t done = 0;
#if defined(__x86_64__)
  if (has_avx512_bf16()) {
    store_vectors(out, stride, values, rows, columns, changed);
    done = columns / 16 * 16;
  }
#endif
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = done; column < columns; ++column) {
      put(out + row * stride + column, changed.at(values[row * columns + column], column));
    }
  }
}

}  // namespace

void distilburn::store_rows(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns) {
  store_all(out, stride, values, rows, columns, AsTheyAre{});
}

void distilburn::store_rows(float* out, int64_t stride, const float* values, int64_t rows, int64_t columns) {
  store_all(out, stride, values, rows, columns, AsTheyAre{});
}

void distilburn::store_sums(uint16_t* out, int64_t stride, const float* values, int64_t rows, int64_t columns,
                            const float* added) {
  store_all(out, stride, values, rows, columns, Plus{added});
}
