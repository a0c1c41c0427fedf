// e^x for vectors of floats.

#pragma once

#include <cstdint>
#include <cstring>

#include "avx512.h"
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

#if defined(__x86_64__)

// The same of 16 numbers, with products and sums rounded once: half as many instructions.
DISTILBURN_AVX512F inline __m512 exponential(__m512 x) {
  // The second of the two where one is NaN.
  x = _mm512_min_ps(_mm512_setzero_ps(), _mm512_max_ps(_mm512_set1_ps(-87.0f), x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  for (const float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(next));
  }
  const __m512 y = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
  return _mm512_scalef_ps(y, n);
}

#endif

}  // namespace distilburn
