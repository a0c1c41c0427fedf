// e^x for vectors of floats.

#pragma once

#include <cstdint>
#include <cstring>

#include "simd.h"

namespace distilburn {

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

}  // namespace distilburn
