// Rows of attention's blocks, for several instruction sets.

#include "attention_rows.h"

#include <algorithm>
#include <limits>

#include "exponential.h"
#include "simd.h"

namespace {

using namespace distilburn;

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
  for (float& lane : lanes) lane = 0.0f;
  for (int64_t i = 0; i < width; i += kRows) {
    for (int64_t lane = 0; lane < kRows; ++lane) {
      const float value = exponential((row[i + lane] - greatest) * scale);
      row[i + lane] = value;
      lanes[lane] += value;
    }
  }
  float sum = 0.0f;
  for (const float lane : lanes) sum += lane;
  const float inverse = 1.0f / sum;
  for (int64_t i = 0; i < length; ++i) put(probabilities + i, row[i] * inverse);
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
  for (i = 0; i < length; ++i) out[i] = narrow((grad[i] - sum) * widen(probabilities[i]) * scale);
}
