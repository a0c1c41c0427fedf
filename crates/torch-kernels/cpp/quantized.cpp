// A linear layer in int8 on the host, for inference: out = input × weightᵀ + bias.
//
// Weights are quantised once, each output's to [-127, 127] (symmetric, a scale each); inputs while they come, each token's
// to [0, 255] (a scale and a zero point each). Sums are exact in int32. This is dynamic quantisation as in Q8BERT
// (Zafrir et al. 2019), with the finest scales that leave the product whole.
//
// For machines where distilburn_int8_multiplies.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "avx512.h"
#include "blocks.h"
#include "elements.h"
#include "error.h"
#include "exponential.h"
#include "simd.h"

namespace {

using namespace distilburn;

// Rows that stand beside one another in a packed factor (VNNI).
constexpr int64_t kBeside = 4;

// Tokens, and how each is quantised: element = scale × (quantised − zero).
struct Quantized {
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  Aligned<uint8_t> elements;
};

// The quantised input (rows, inner).
struct QuantizedLeft {
  using Sum = int32_t;

  int64_t rows;
  int64_t inner;
  const uint8_t* data;
};

// One tile of the product into `out` (rows, columns).
void multiply_tile(int32_t* out, const QuantizedLeft& left, const int8_t* panel, const Tile& tile) {
  for (int64_t row = 0; row < tile.rows;) {
    const int64_t rows = rows_at_a_time(tile.rows - row);
    const uint8_t* from = left.data + (tile.row + row) * left.inner;
    at::native::cpublas::brgemm(rows, tile.columns, left.inner, left.inner, tile.columns, tile.columns, false, from,
                                reinterpret_cast<const signed char*>(panel), out + row * tile.columns);
    row += rows;
  }
}

// 1 / scale; 0 where all elements are too near to 0 for that.
float inverse_of(float scale) { return scale > 1e-30f ? 1.0f / scale : 0.0f; }

struct Range {
  float least;
  float greatest;
};

// Of the elements and 0; NaN where one of them is not finite.
template <class T>
DISTILBURN_INLINE Range range_of(const T* row, int64_t count) {
  constexpr int64_t kLanes = 32;
  float least[kLanes] = {}, greatest[kLanes] = {}, poison[kLanes] = {};
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = widen(row[i + lane]);
      least[lane] = value < least[lane] ? value : least[lane];
      greatest[lane] = value > greatest[lane] ? value : greatest[lane];
      poison[lane] += value * 0.0f;
    }
  }
  Range range{0.0f, 0.0f};
  float poisoned = 0.0f;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    range.least = std::min(range.least, least[lane]);
    range.greatest = std::max(range.greatest, greatest[lane]);
    poisoned += poison[lane];
  }
  range.greatest += poisoned;
  return range;
}

// Whole numbers in [0, 255]: adding 1.5 × 2²³ rounds.
template <class T>
DISTILBURN_INLINE void quantize_elements(uint8_t* out, const T* row, int64_t count, float inverse, float zero) {
  for (int64_t i = 0; i < count; ++i) {
    float value = widen(row[i]) * inverse + zero;
    value = value > 0.0f ? value : 0.0f;
    value = (value < 255.0f ? value : 255.0f) + 12582912.0f;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    out[i] = static_cast<uint8_t>(bits);
  }
}

DISTILBURN_CLONES Range range(const float* row, int64_t count) { return range_of(row, count); }
DISTILBURN_CLONES Range range(const uint16_t* row, int64_t count) { return range_of(row, count); }
DISTILBURN_CLONES void quantize(uint8_t* out, const float* row, int64_t count, float inverse, float zero) {
  quantize_elements(out, row, count, inverse, zero);
}
DISTILBURN_CLONES void quantize(uint8_t* out, const uint16_t* row, int64_t count, float inverse, float zero) {
  quantize_elements(out, row, count, inverse, zero);
}

template <class T>
Quantized quantized(const T* input, int64_t rows, int64_t inner) {
  Quantized all{std::vector<float>(rows), std::vector<int32_t>(rows), aligned<uint8_t>(rows * inner)};
  at::parallel_for(0, rows, 16, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const auto [least, greatest] = range(input + row * inner, inner);
      const float scale = (greatest - least) / 255.0f;
      const float inverse = inverse_of(scale);
      const float zero = std::nearbyint(-least * inverse);
      all.scales[row] = scale;
      // Of a row that is not finite the scale is not, and shows in every output.
      all.zeros[row] = static_cast<int32_t>(zero == zero ? zero : 0.0f);
      quantize(all.elements.get() + row * inner, input + row * inner, inner, inverse, zero);
    }
  });
  return all;
}

// What stands in a weight's columns: its outputs'.
struct Columns {
  const float* scales;
  const int32_t* sums;
  const float* biases;
};

// The exact GELU: x Φ(x), erf by Abramowitz and Stegun's 7.1.26, absolute error 1.5e-7.
DISTILBURN_INLINE float gelu(float x) {
  const float magnitude = (x < 0.0f ? -x : x) * 0.70710678f;
  const float t = 1.0f / (1.0f + 0.3275911f * magnitude);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  // 1 − erf
  const float rest = p * t * exponential(-magnitude * magnitude);
  const float half = 0.5f * x;
  return x < 0.0f ? half * rest : half * (2.0f - rest);
}

#if defined(__x86_64__)

// The same of 16 numbers, its reciprocal by one of Newton's steps: a division takes as long as all the rest.
DISTILBURN_AVX512F inline __m512 gelu(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f), two = _mm512_set1_ps(2.0f);
  // Beyond 20 the rest is 0; infinity has no such reciprocal.
  const __m512 magnitude =
      _mm512_min_ps(_mm512_set1_ps(20.0f), _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f)));
  const __m512 denominator = _mm512_fmadd_ps(magnitude, _mm512_set1_ps(0.3275911f), one);
  __m512 t = _mm512_rcp14_ps(denominator);
  t = _mm512_mul_ps(t, _mm512_fnmadd_ps(denominator, t, two));
  __m512 p = _mm512_set1_ps(1.061405429f);
  for (const float next : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) {
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(next));
  }
  const __m512 power = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(magnitude, magnitude)));
  const __m512 rest = _mm512_mul_ps(_mm512_mul_ps(p, t), power);
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 share = _mm512_mask_blend_ps(negative, _mm512_sub_ps(two, rest), rest);
  return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.5f)), share);
}

DISTILBURN_AVX512F inline void store_vector(float* out, __m512 values) { _mm512_storeu_ps(out, values); }
DISTILBURN_AVX512F inline void store_vector(uint16_t* out, __m512 values) {
  alignas(64) float wide[16];
  _mm512_store_ps(wide, values);
  for (int i = 0; i < 16; ++i) out[i] = narrow(wide[i]);
}

// `count` is a multiple of 16.
template <class T>
DISTILBURN_AVX512F void activate_vectors(T* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                         const Columns& columns) {
  for (int64_t i = 0; i < count; i += 16) {
    const __m512i own = _mm512_mullo_epi32(_mm512_set1_epi32(zero), _mm512_loadu_si512(columns.sums + i));
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(sums + i), own));
    const __m512 factor = _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_loadu_ps(columns.scales + i));
    store_vector(out + i, gelu(_mm512_add_ps(_mm512_mul_ps(sum, factor), _mm512_loadu_ps(columns.biases + i))));
  }
}

#endif

template <bool activates, class T>
DISTILBURN_INLINE void dequantize_row(T* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                      const Columns& columns) {
  for (int64_t i = 0; i < count; ++i) {
    const int32_t sum = sums[i] - zero * columns.sums[i];
    const float value = static_cast<float>(sum) * (scale * columns.scales[i]) + columns.biases[i];
    put(out + i, activates ? gelu(value) : value);
  }
}

DISTILBURN_CLONES void dequantize(float* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                  Columns columns) {
  dequantize_row<false>(out, sums, count, scale, zero, columns);
}
DISTILBURN_CLONES void dequantize(uint16_t* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                  Columns columns) {
  dequantize_row<false>(out, sums, count, scale, zero, columns);
}
DISTILBURN_CLONES void activate(float* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                Columns columns) {
  dequantize_row<true>(out, sums, count, scale, zero, columns);
}
DISTILBURN_CLONES void activate(uint16_t* out, const int32_t* sums, int64_t count, float scale, int32_t zero,
                                Columns columns) {
  dequantize_row<true>(out, sums, count, scale, zero, columns);
}

// The layer's output, (tokens, stride).
template <class T>
struct DequantizedOut {
  T* data;
  int64_t stride;
  const Quantized& input;
  Columns columns;
  bool activates;

  void fetch(const Tile& tile) const {
    for (int64_t row = 0; row < tile.rows; ++row) {
      fetch_row<true>(data + (tile.row + row) * stride + tile.column, tile.columns);
    }
  }

  void store(const Tile& tile, const int32_t* values) const {
    const Columns own{columns.scales + tile.column, columns.sums + tile.column, columns.biases + tile.column};
    for (int64_t row = 0; row < tile.rows; ++row) {
      T* out = data + (tile.row + row) * stride + tile.column;
      const float scale = input.scales[tile.row + row];
      const int32_t zero = input.zeros[tile.row + row];
      const int32_t* sums = values + row * tile.columns;
      if (!activates) {
        dequantize(out, sums, tile.columns, scale, zero, own);
#if defined(__x86_64__)
      } else if (has_avx512f()) {
        activate_vectors(out, sums, tile.columns, scale, zero, own);
#endif
      } else {
        activate(out, sums, tile.columns, scale, zero, own);
      }
    }
  }
};

void check_quantized(const at::Tensor& tensor, at::ScalarType type, int64_t numel) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == type && tensor.numel() == numel,
              "int8: host, contiguous, ", type, ", ", numel, " elements");
}

// Packs `width` rows of the weight, quantised, as brgemm reads their transpose: (inner / 4, width, 4).
void pack_quantized(int8_t* panel, float* scales, int32_t* sums, const float* weight, int64_t width, int64_t inner) {
  for (int64_t column = 0; column < width; ++column) {
    const float* row = weight + column * inner;
    const auto [least, greatest] = range(row, inner);
    // NaN where an element is not finite.
    const float scale = std::max(-least, greatest) / 127.0f + (greatest - greatest);
    const float inverse = inverse_of(scale);
    int32_t sum = 0;
    for (int64_t i = 0; i < inner; ++i) {
      const float value = std::nearbyint(row[i] * inverse);
      const int8_t element = static_cast<int8_t>(value == value ? value : 0.0f);
      panel[(i / kBeside * width + column) * kBeside + i % kBeside] = element;
      sum += element;
    }
    scales[column] = scale;
    sums[column] = sum;
  }
}

}  // namespace

extern "C" {

// A weight (out, in) of f32, quantised: packed (out, in) int8, and of each output the scale, f32, and the sum of its row,
// int32.
char* distilburn_int8_pack(at::Tensor* packed, at::Tensor* scales, at::Tensor* sums, at::Tensor* weight) {
  return guarded([&] {
    const int64_t dim_out = weight->size(0), dim_in = weight->size(1);
    check_sizes(1, dim_in, dim_out);
    check_quantized(*weight, at::kFloat, dim_out * dim_in);
    check_quantized(*packed, at::kChar, dim_out * dim_in);
    check_quantized(*scales, at::kFloat, dim_out);
    check_quantized(*sums, at::kInt, dim_out);
    auto* panels = static_cast<int8_t*>(packed->data_ptr());
    for (int64_t column = 0; column < dim_out; column += kPanel) {
      pack_quantized(panels + column * dim_in, scales->data_ptr<float>() + column, sums->data_ptr<int32_t>() + column,
                     weight->const_data_ptr<float>() + column * dim_in, std::min(kPanel, dim_out - column), dim_in);
    }
  });
}

// out (tokens, out) = input (tokens, in) × weightᵀ + bias, and its GELU where `activates`; input and out of bfloat16 or f32,
// the weight as distilburn_int8_pack packed it, bias f32.
char* distilburn_int8_forward(at::Tensor* out, at::Tensor* input, at::Tensor* packed, at::Tensor* scales,
                              at::Tensor* sums, at::Tensor* bias, bool activates) {
  return guarded([&] {
    const int64_t tokens = input->size(0), dim_in = input->size(1), dim_out = packed->size(0);
    check_sizes(tokens, dim_in, dim_out);
    check_quantized(*packed, at::kChar, dim_out * dim_in);
    check_quantized(*scales, at::kFloat, dim_out);
    check_quantized(*sums, at::kInt, dim_out);
    check_quantized(*bias, at::kFloat, dim_out);
    check_quantized(*input, input->scalar_type(), tokens * dim_in);
    check_quantized(*out, out->scalar_type(), tokens * dim_out);
    const Columns columns{scales->const_data_ptr<float>(), sums->const_data_ptr<int32_t>(),
                          bias->const_data_ptr<float>()};
    const auto* panels = static_cast<const int8_t*>(packed->const_data_ptr());
    with_elements(*input, [&](const auto* elements) {
      const Quantized all = quantized(elements, tokens, dim_in);
      const QuantizedLeft left{tokens, dim_in, all.elements.get()};
      with_elements(*out, [&](auto* to) {
        multiply(left, dim_out, packed_before(panels, dim_in),
                 DequantizedOut<std::remove_pointer_t<decltype(to)>>{to, dim_out, all, columns, activates});
      });
    });
  });
}

// Whether such products come out right: LibTorch may be built without oneDNN, the processor may have no VNNI, and oneDNN may
// be held to older instructions (ONEDNN_MAX_CPU_ISA); then they throw, or saturate.
bool distilburn_int8_multiplies() {
  constexpr int64_t kSide = 32;
  try {
    const Products products;
    std::vector<uint8_t> left(kSide * kSide, 255);
    std::vector<int8_t> right(kSide * kSide, 127);
    right[5] = -127;
    std::vector<int32_t> out(kSide * kSide);
    const Tile tile{0, kSide, 0, kSide};
    multiply_tile(out.data(), QuantizedLeft{kSide, kSide, left.data()}, right.data(), tile);
    const auto expected = [](int64_t column) { return 255 * 127 * (column == 5 / kBeside ? kSide - 2 : kSide); };
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      if (out[i] != expected(i % kSide)) return false;
    }
    return true;
  } catch (...) {
    return false;
  }
}

}  // extern "C"
