// What the kernels share: errors, instruction sets, bfloat16, and the draws of dropout.

#pragma once

#include <cstdint>
#include <cstring>
#include <exception>

// A function that is compiled for several instruction sets and chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DISTILBURN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISTILBURN_CLONES
#endif
#define DISTILBURN_INLINE inline __attribute__((always_inline))

namespace distilburn {

// nullptr, or what was thrown, as a C string.
template <class F>
char* guarded(F f) {
  try {
    f();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  }
}

// lowbias32 by Chris Wellons: a 32-bit mixing function with little bias.
DISTILBURN_INLINE uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  x ^= x >> 16;
  return x;
}

// bfloat16 is the upper half of a float.
DISTILBURN_INLINE float widen(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}
DISTILBURN_INLINE float widen(float value) { return value; }

// Rounded to the nearest, to even where two are as near.
DISTILBURN_INLINE uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  return nan ? 0x7fc0U : static_cast<uint16_t>(rounded);
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
