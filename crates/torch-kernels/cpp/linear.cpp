// A linear layer in bfloat16 on the host, forward and backward: out = input × weightᵀ + bias.
//
// Weights are (out, in), of f32 or bfloat16, and rounded while they are packed: nobody makes a copy of them.
//
// For machines where distilburn_brgemm_multiplies.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "blocks.h"
#include "elements.h"
#include "error.h"
#include "pack.h"
#include "simd.h"
#include "store.h"

namespace {

using namespace distilburn;

const uint16_t* bf16_of(const at::Tensor& tensor) { return static_cast<const uint16_t*>(tensor.const_data_ptr()); }
uint16_t* bf16_of(at::Tensor& tensor) { return static_cast<uint16_t*>(tensor.data_ptr()); }

int64_t rounded_up(int64_t count) { return (count + kGroup - 1) / kGroup * kGroup; }

// A product's tensor, (rows, stride); store(at, stride, values, tile) writes a tile's values from `at` on.
template <class T, class Store>
struct Out {
  T* data;
  int64_t stride;
  Store store_values;

  T* at(const Tile& tile) const { return data + tile.row * stride + tile.column; }

  void fetch(const Tile& tile) const {
    for (int64_t row = 0; row < tile.rows; ++row) fetch_row<true>(at(tile) + row * stride, tile.columns);
  }

  void store(const Tile& tile, const float* values) const { store_values(at(tile), stride, values, tile); }
};

template <class T, class Store>
Out<T, Store> into(T* data, int64_t stride, Store store) {
  return {data, stride, store};
}

template <class T>
auto into(T* data, int64_t stride) {
  return into(data, stride, [](T* at, int64_t stride, const float* values, const Tile& tile) {
    store_rows(at, stride, values, tile.rows, tile.columns);
  });
}

// Into out (tokens, out), each column's bias added before rounding.
auto with_bias(at::Tensor& out, const float* biases) {
  return into(bf16_of(out), out.size(1), [biases](uint16_t* at, int64_t stride, const float* values, const Tile& tile) {
    store_sums(at, stride, values, tile.rows, tile.columns, biases + tile.column);
  });
}

void check(const at::Tensor& tensor, int64_t rows, int64_t columns) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous(), "linear: host, contiguous");
  TORCH_CHECK(tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == columns, "linear: shapes");
}

void check_bf16(const at::Tensor& tensor, int64_t rows, int64_t columns) {
  check(tensor, rows, columns);
  TORCH_CHECK(tensor.scalar_type() == at::kBFloat16, "linear: bfloat16");
}

void check_either(const at::Tensor& tensor, int64_t rows, int64_t columns) {
  check(tensor, rows, columns);
  TORCH_CHECK(tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kFloat, "linear: bfloat16 or float");
}

void check_f32(const at::Tensor& bias, int64_t count) {
  TORCH_CHECK(bias.is_cpu() && bias.is_contiguous() && bias.scalar_type() == at::kFloat && bias.numel() == count,
              "linear: a float for every column");
}

// The tensors, (rows, any) each, side by side.
Left side_by_side(const std::vector<const at::Tensor*>& tensors) {
  Left left{tensors[0]->size(0), 0, {}};
  for (const at::Tensor* tensor : tensors) {
    const int64_t columns = tensor->size(1);
    for (int64_t column = 0; column < columns; column += kSlice) {
      left.slices.push_back({bf16_of(*tensor) + column, columns, std::min(kSlice, columns - column)});
    }
    left.inner += columns;
  }
  return left;
}

// sums[column] += the sum of the column's elements in rows, of a group of columns.
DISTILBURN_CLONES void add_columns(float* sums, const uint16_t* rows, int64_t stride, int64_t count) {
  float lanes[kGroup] = {};
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < kGroup; ++i) lanes[i] += widen(rows[row * stride + i]);
  }
  for (int64_t i = 0; i < kGroup; ++i) sums[i] += lanes[i];
}

// The transpose of grad (tokens, out), its tokens in slices and with zeros after the last up to a multiple of kGroup; and
// into `sums` (out) those of its columns, which this is the pass for.
at::Tensor transposed(const at::Tensor& grad, float* sums) {
  const int64_t tokens = grad.size(0), columns = grad.size(1);
  const int64_t slices = (tokens + kSlice - 1) / kSlice, groups = columns / kGroup;
  at::Tensor result = at::empty({slices * columns * kSlice}, grad.options());
  uint16_t* out = bf16_of(result);
  const uint16_t* all = bf16_of(grad);
  at::parallel_for(0, groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t column = first * kGroup; column < last * kGroup; column += kGroup) {
      std::fill_n(sums + column, kGroup, 0.0f);
      for (int64_t slice = 0; slice < slices; ++slice) {
        const int64_t count = std::min(kSlice, tokens - slice * kSlice);
        const uint16_t* rows = all + slice * kSlice * columns + column;
        uint16_t* to = out + (slice * columns + column) * kSlice;
        transpose(to, kSlice, rows, columns, count, kGroup);
        add_columns(sums + column, rows, columns, count);
        for (int64_t row = 0; row < kGroup; ++row) {
          std::fill(to + row * kSlice + (count + 1) / 2 * 2, to + row * kSlice + rounded_up(count), uint16_t{0});
        }
      }
    }
  });
  return result;
}

// The slices of what transposed() returns, `padded` tokens deep in all. The last is cut at a multiple of kCoarse, so that
// products have few depths.
std::vector<Slice> slices_of_tokens(const uint16_t* grad_t, int64_t dim_out, int64_t padded) {
  constexpr int64_t kCoarse = 256;
  static_assert(kSlice % kCoarse == 0 && kCoarse % kGroup == 0);
  std::vector<Slice> slices;
  for (int64_t token = 0; token < padded; token += kSlice) {
    const int64_t depth = std::min(kSlice, padded - token), coarse = depth / kCoarse * kCoarse;
    const uint16_t* data = grad_t + token * dim_out;
    if (coarse > 0) slices.push_back({data, kSlice, coarse});
    if (coarse < depth) slices.push_back({data + coarse, kSlice, depth - coarse});
  }
  return slices;
}

}  // namespace

extern "C" {

// out (tokens, out) = input (tokens, in) × weightᵀ + bias. Input and out are bfloat16, the bias is f32, the weight either; or
// bfloat16 as distilburn_linear_pack packed it, if `packed`.
char* distilburn_linear_forward(at::Tensor* out, at::Tensor* input, at::Tensor* weight, at::Tensor* bias, bool packed) {
  return guarded([&] {
    const int64_t tokens = input->size(0), dim_in = input->size(1), dim_out = weight->size(0);
    check_sizes(tokens, dim_in, dim_out);
    check_bf16(*input, tokens, dim_in);
    check_bf16(*out, tokens, dim_out);
    check_f32(*bias, dim_out);
    const Left left = side_by_side({input});
    const auto sums = with_bias(*out, bias->const_data_ptr<float>());
    if (packed) {
      check_bf16(*weight, dim_out, dim_in);
      multiply(left, dim_out, packed_before(bf16_of(std::as_const(*weight)), dim_in), sums);
      return;
    }
    check_either(*weight, dim_out, dim_in);
    with_elements(*weight, [&](const auto* weights) {
      const auto pack_panel = [&](uint16_t* panel, int64_t column, int64_t width) {
        pack_transposed(panel, width, weights + column * dim_in, dim_in, width, dim_in);
      };
      multiply(left, dim_out, packed_anew(dim_in, pack_panel), sums);
    });
  });
}

// A weight (out, in), of f32 or bfloat16, packed: bfloat16, as many elements.
char* distilburn_linear_pack(at::Tensor* packed, at::Tensor* weight) {
  return guarded([&] {
    const int64_t dim_out = weight->size(0), dim_in = weight->size(1);
    check_sizes(1, dim_in, dim_out);
    check_either(*weight, dim_out, dim_in);
    check_bf16(*packed, dim_out, dim_in);
    uint16_t* panels = bf16_of(*packed);
    with_elements(*weight, [&](const auto* weights) {
      for (int64_t column = 0; column < dim_out; column += kPanel) {
        const int64_t width = std::min(kPanel, dim_out - column);
        pack_transposed(panels + column * dim_in, width, weights + column * dim_in, dim_in, width, dim_in);
      }
    });
  });
}

// out (tokens, in) = the sum of grads[i] (tokens, out) × weights[i] (out, in), of layers with the same input; rounded once where
// out is bfloat16, not at all where it is f32.
char* distilburn_linear_input_gradient(at::Tensor* out, at::Tensor** grads, at::Tensor** weights, int64_t layers) {
  return guarded([&] {
    const int64_t tokens = out->size(0), dim_in = out->size(1);
    check_either(*out, tokens, dim_in);
    for (int64_t i = 0; i < layers; ++i) {
      const int64_t dim_out = weights[i]->size(0);
      check_sizes(tokens, dim_in, dim_out);
      check_bf16(*grads[i], tokens, dim_out);
      check_either(*weights[i], dim_out, dim_in);
    }
    const Left left = side_by_side({grads, grads + layers});
    const auto pack_panel = [&](uint16_t* panel, int64_t column, int64_t width) {
      for (int64_t i = 0; i < layers; ++i) {
        const int64_t rows = weights[i]->size(0);
        with_elements(*weights[i], [&](const auto* elements) { pack(panel, elements + column, dim_in, rows, width); });
        panel += rows * width;
      }
    };
    const auto panels = packed_anew(left.inner, pack_panel);
    if (out->scalar_type() == at::kFloat) {
      multiply(left, dim_in, panels, into(out->data_ptr<float>(), dim_in));
    } else {
      multiply(left, dim_in, panels, into(bf16_of(*out), dim_in));
    }
  });
}

// out (out, in) = gradᵀ (out, tokens) × input (tokens, in), all bfloat16; bias_out (out), f32, the sums of grad's columns.
char* distilburn_linear_weight_gradient(at::Tensor* out, at::Tensor* bias_out, at::Tensor* grad, at::Tensor* input) {
  return guarded([&] {
    const int64_t tokens = grad->size(0), dim_out = grad->size(1), dim_in = input->size(1);
    check_sizes(tokens, dim_in, dim_out);
    check_bf16(*grad, tokens, dim_out);
    check_bf16(*input, tokens, dim_in);
    check_bf16(*out, dim_out, dim_in);
    check_f32(*bias_out, dim_out);
    const at::Tensor grad_t = transposed(*grad, bias_out->data_ptr<float>());
    const int64_t padded = rounded_up(tokens);
    const Left left{dim_out, padded, slices_of_tokens(bf16_of(grad_t), dim_out, padded)};
    const uint16_t* rows = bf16_of(*input);
    const auto pack_panel = [&](uint16_t* panel, int64_t column, int64_t width) {
      pack(panel, rows + column, dim_in, tokens, width);
      std::fill(panel + (tokens + 1) / 2 * 2 * width, panel + padded * width, uint16_t{0});
    };
    multiply(left, dim_in, packed_anew(left.inner, pack_panel), into(bf16_of(*out), dim_in));
  });
}

}  // extern "C"
