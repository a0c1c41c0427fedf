// Products of bfloat16, and whether this machine has them.

#include "brgemm.h"

#include <ATen/cpu/Utils.h>
#include <ATen/native/CPUBlas.h>

#include <vector>

#include "pack.h"
#include "simd.h"

void distilburn::product(float* out, const uint16_t* left, int64_t left_stride, const uint16_t* right, int64_t rows,
                         int64_t columns, int64_t inner, bool adds) {
  at::native::cpublas::brgemm(rows, columns, inner, left_stride, columns, columns, adds,
                              reinterpret_cast<const at::BFloat16*>(left),
                              reinterpret_cast<const at::BFloat16*>(right), out);
}

void distilburn::product(float* out, const float* left, int64_t left_stride, const float* right, int64_t rows,
                         int64_t columns, int64_t inner, bool adds) {
  at::native::cpublas::brgemm(rows, columns, inner, left_stride, columns, columns, adds, left, right, out,
                              /*is_vnni=*/false);
}

distilburn::Products::~Products() { at::native::cpublas::brgemm_release(); }

// Whether bfloat16 is multiplied faster than f32, where there are instructions for it. Intel's processors after Cooper Lake
// have AMX for that; where it is hidden from a virtual machine, VDPBF16PS reaches half of f32's speed: 84 against 160 GFLOPS a
// core on Emerald Rapids (scripts/bench/LOG.md).
extern "C" bool distilburn_bf16_is_fast() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  return at::cpu::is_amx_tile_supported() || !__builtin_cpu_is("intel") || __builtin_cpu_is("cooperlake");
#else
  return true;
#endif
}

// Whether products come out right: LibTorch may be built without oneDNN, and oneDNN may be held to older instructions
// (ONEDNN_MAX_CPU_ISA); then they throw.
extern "C" bool distilburn_brgemm_multiplies(bool of_f32) {
  using namespace distilburn;
  constexpr int64_t kSide = 32;
  // Whole numbers so small that bfloat16 and their sums in f32 are exact.
  const auto left = [](int64_t row, int64_t inner) { return static_cast<float>((row + 3 * inner) % 7 - 3); };
  const auto right = [](int64_t inner, int64_t column) { return static_cast<float>((5 * inner + column) % 9 - 4); };
  try {
    const Products products;
    std::vector<float> wide_lefts(kSide * kSide), wide_rights(kSide * kSide);
    std::vector<uint16_t> lefts(kSide * kSide), rights(kSide * kSide), packed(kSide * kSide);
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      wide_lefts[i] = left(i / kSide, i % kSide);
      wide_rights[i] = right(i / kSide, i % kSide);
      lefts[i] = narrow(wide_lefts[i]);
      rights[i] = narrow(wide_rights[i]);
    }
    pack(packed.data(), rights.data(), kSide, kSide, kSide);
    std::vector<float> out(kSide * kSide);
    for (const bool adds : {false, true}) {
      if (of_f32) {
        product(out.data(), wide_lefts.data(), kSide, wide_rights.data(), kSide, kSide, kSide, adds);
      } else {
        product(out.data(), lefts.data(), kSide, packed.data(), kSide, kSide, kSide, adds);
      }
    }
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      float sum = 0.0f;
      for (int64_t inner = 0; inner < kSide; ++inner) sum += left(i / kSide, inner) * right(inner, i % kSide);
      if (out[i] != 2.0f * sum) return false;
    }
    return true;
  } catch (...) {
    return false;
  }
}
