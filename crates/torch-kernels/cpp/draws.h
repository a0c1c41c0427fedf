// The draws of dropout.

#pragma once

#include <cstdint>

#include "simd.h"

namespace distilburn {

// lowbias32 by Chris Wellons: a 32-bit mixing function with little bias.
DISTILBURN_INLINE uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  x ^= x >> 16;
  return x;
}

// Counter-based: what element `index` draws depends on the seed and the index alone, so the mask is the
// same whatever the thread count, and the backward pass draws it again instead of storing it.
struct Draws {
  Draws(double p, uint64_t seed)
      : low(static_cast<uint32_t>(seed)),
        high(static_cast<uint32_t>(seed >> 32)),
        threshold(static_cast<uint32_t>(p * 4294967296.0)),
        scale(static_cast<float>(1.0 / (1.0 - p))) {}

  uint32_t low;
  uint32_t high;
  uint32_t threshold;
  float scale;
};

// What elements begin, begin + 1, … are multiplied by: 0, or 1 / (1 − p).
static DISTILBURN_CLONES void keep_factors(float* factors, int64_t begin, int64_t count, Draws draws) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t draw = mix(mix(static_cast<uint32_t>(begin + i) ^ draws.low) + draws.high);
    factors[i] = draw >= draws.threshold ? draws.scale : 0.0f;
  }
}

}  // namespace distilburn
