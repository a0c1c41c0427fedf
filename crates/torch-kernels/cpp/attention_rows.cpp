// Rows of attention's blocks, for several instruction sets.

#include "attention_rows.h"

#include <algorithm>
#include <limits>

#include "avx512.h"
#include "exponential.h"
#include "simd.h"

namespace {

using namespace distilburn;

#if defined(__x86_64__)
// As exponentials().
DISTILBURN_AVX512F void exponential_vectors(float* lanes, float* row, int64_t width, float greatest, float scale) {
  static_assert(kRows == 32);
  const __m512 most = _mm512_set1_ps(greatest), factor = _mm512_set1_ps(scale);
  __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (int64_t i = 0; i < width; i += kRows) {
    for (int half = 0; half < 2; ++half) {
      float* const at = row + i + 16 * half;
      const __m512 value = exponential(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(at), most), factor));
      _mm512_storeu_ps(at, value);
      sums[half] = _mm512_add_ps(sums[half], value);
    }
  }
  for (int half = 0; half < 2; ++half) _mm512_storeu_ps(lanes + 16 * half, sums[half]);
}
#endif

// Puts e^((x − greatest) × scale) in the place of each x of the row, and sums of kRows columns each into `lanes`.
DISTILBURN_INLINE void exponentials(float* lanes, float* row, int64_t width, float greatest, float scale) {
#if defined(__x86_64__)
  if (has_avx512f()) return exponential_vectors(lanes, row, width, greatest, scale);
#endif
  std::fill_n(lanes, kRows, 0.0f);
  for (int64_t i = 0; i < width; i += kRows) {
    for (int64_t lane = 0; lane < kRows; ++lane) {
      const float value = exponential((row[i + lane] - greatest) * scale);
      row[i + lane] = value;
      lanes[lane] += value;
    }
  }
}

template <class T>
DISTILBURN_INLINE void softmax(T* probabilities, float* row, int64_t length, int64_t width, float scale) {
  std::fill(row + length, row + width, -std::numeric_limits<float>::infinity());
  float lanes[kRows];
  for (int64_t lane = 0; lane < kRows; ++lane) lanes[lane] = row[lane];
  for (int64_t i = kRows; i < width; i += kRows) {
    for (int64_t lane = 0; lane < kRows; ++lane) {
      lanes[lane] = row[i + lane] > lanes[lane] ? row[i + lane] : lanes[lane];
    }
  }
  float greatest = lanes[0];
  for (int64_t lane = 1; lane < kRows; ++lane) greatest = std::max(greatest, lanes[lane]);
  exponentials(lanes, row, width, greatest, scale);
  float sum = 0.0f;
  for (const float lane : lanes) sum += lane;
  const float inverse = 1.0f / sum;
  for (int64_t i = 0; i < length; ++i) put(probabilities + i, row[i] * inverse);
}

template <class T>
DISTILBURN_INLINE void softmax_backward(T* out, float* grad, const T* probabilities, const float* factors, int64_t length,
                                        float scale) {
  float lanes[kRows] = {};
  int64_t i = 0;
  for (; i + kRows <= length; i += kRows) {
    for (int64_t lane = 0; lane < kRows; ++lane) {
      const float value = grad[i + lane] * factors[i + lane];
      grad[i + lane] = value;
      lanes[lane] += value * widen(probabilities[i + lane]);
    }
  }
  float sum = 0.0f;
  for (; i < length; ++i) {
    grad[i] *= factors[i];
    sum += grad[i] * widen(probabilities[i]);
  }
  for (const float lane : lanes) sum += lane;
  for (i = 0; i < length; ++i) put(out + i, (grad[i] - sum) * widen(probabilities[i]) * scale);
}

}  // namespace

DISTILBURN_CLONES void distilburn::softmax_row(uint16_t* probabilities, float* row, int64_t length, int64_t width,
                                               float scale) {
  softmax(probabilities, row, length, width, scale);
}

DISTILBURN_CLONES void distilburn::softmax_row(float* probabilities, float* row, int64_t length, int64_t width,
                                               float scale) {
  softmax(probabilities, row, length, width, scale);
}

DISTILBURN_CLONES void distilburn::drop_row(uint16_t* out, const uint16_t* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow(widen(in[i]) * factors[i]);
}

DISTILBURN_CLONES void distilburn::drop_row(float* out, const float* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = in[i] * factors[i];
}

DISTILBURN_CLONES void distilburn::softmax_row_backward(uint16_t* out, float* grad, const uint16_t* probabilities,
                                                        const float* factors, int64_t length, float scale) {
  softmax_backward(out, grad, probabilities, factors, length, scale);
}

DISTILBURN_CLONES void distilburn::softmax_row_backward(float* out, float* grad, const float* probabilities,
                                                        const float* factors, int64_t length, float scale) {
  softmax_backward(out, grad, probabilities, factors, length, scale);
}
