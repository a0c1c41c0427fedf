// Rows of attention's blocks, for several instruction sets.

#include "attention_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "simd.h"

namespace {

using namespace distilburn;

// e^x for x in [-87, 0], relative error 2e-7: Cephes' expf (Moshier). Beyond, that of the nearest end; NaN stays NaN.
DISTILBURN_INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  // A row's greatest may be taken to be less than it is where NaN stands among the others.
  x = x > 0.0f ? 0.0f : x;
  // Adding and taking away 1.5 × 2²³ rounds to a whole number.
  const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = p * r * r + r + 1.0f;
  // NaN has no whole number; y is NaN then.
  const int32_t bits = (static_cast<int32_t>(n == n ? n : 0.0f) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power;
}

}  // namespace

DISTILBURN_CLONES void distilburn::softmax_row(uint16_t* probabilities, float* row, int64_t length, int64_t width, float scale) {
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
  for (int64_t i = 0; i < length; ++i) probabilities[i] = narrow(row[i] * inverse);
}

DISTILBURN_CLONES void distilburn::drop_row(uint16_t* out, const uint16_t* in, const float* factors, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow(widen(in[i]) * factors[i]);
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
