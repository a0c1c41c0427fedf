// Functions for several instruction sets, and bfloat16 in them.
//
// build.rs forbids the compiler to contract a × b + c into one rounding, which AVX-512 and AVX2 have instructions for and
// plain x86-64 has not: every clone of a function gives the same bits.

#pragma once

#include <cstdint>
#include <cstring>

// A function that is compiled for several instruction sets and chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DISTILBURN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISTILBURN_CLONES
#endif
#define DISTILBURN_INLINE inline __attribute__((always_inline))

namespace distilburn {

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

// Stores a value, rounded if the place is bfloat16.
DISTILBURN_INLINE void put(float* out, float value) { *out = value; }
DISTILBURN_INLINE void put(uint16_t* out, float value) { *out = narrow(value); }

}  // namespace distilburn
