// AVX-512, for functions that are written in its instructions.
//
// With bfloat16, its roundings make zeros of what is below the normal numbers, as its products of bfloat16 do, and keep more
// of a NaN; otherwise they are narrow()'s.

#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#define DISTILBURN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
// Without bfloat16.
#define DISTILBURN_AVX512F __attribute__((target("avx512f")))

namespace distilburn {

inline bool has_avx512_bf16() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
  return has;
}

inline bool has_avx512f() {
  static const bool has = __builtin_cpu_supports("avx512f");
  return has;
}

}  // namespace distilburn

#endif
