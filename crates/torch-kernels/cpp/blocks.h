// Products of large matrices of bfloat16, block by block.
//
// LibTorch's products by oneDNN reach 74 to 83 % of what two cores with AVX512-BF16 multiply at; brgemm on such blocks, the
// right factor packed, 93 % (scripts/bench/LOG.md).

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "aligned.h"
#include "brgemm.h"
#include "in_turns.h"

namespace distilburn {

// Columns of a panel of the right factor, which a thread packs and then multiplies with its rows of the left.
constexpr int64_t kPanel = 64;
// Rows of a tile.
constexpr int64_t kTile = 96;
// How much of the inner dimension a product takes at once.
constexpr int64_t kSlice = 1024;

// `depth` elements of the left factor's inner dimension: those of row r begin at data + r * stride.
struct Slice {
  const uint16_t* data;
  int64_t stride;
  int64_t depth;
};

// The left factor (rows, inner), slice after slice; `inner` is the sum of their depths.
struct Left {
  using Sum = float;

  int64_t rows;
  int64_t inner;
  std::vector<Slice> slices;
};

// A rectangle of the product.
struct Tile {
  int64_t row;
  int64_t rows;
  int64_t column;
  int64_t columns;
};

// In how many parts of its rows threads share a product: the fewest with which the busiest thread has least to do. Every
// panel is packed for each of them.
int64_t parts_of_rows(int64_t tiles, int64_t panels, int64_t threads);

// Begin of a part of `count` things.
inline int64_t part(int64_t count, int64_t index, int64_t parts) { return count * index / parts; }

// A product's rows at a time: multiples of the 6 that brgemm's code holds in registers where it multiplies vectors, and what
// is left. oneDNN makes code for every shape, hundreds of kB for each thread: so there are few.
int64_t rows_at_a_time(int64_t left);

// One tile of the product into `out` (rows, columns).
void multiply_tile(float* out, const Left& left, const uint16_t* panel, const Tile& tile);

// Panels of a right factor (inner, columns) that each thread packs for itself: pack(out, column, width) writes columns as brgemm
// reads them.
template <class Pack>
auto packed_anew(int64_t inner, Pack pack) {
  return [inner, pack] {
    return [room = aligned<uint16_t>(inner * kPanel), pack](int64_t column, int64_t width) -> const uint16_t* {
      pack(room.get(), column, width);
      return room.get();
    };
  };
}

// Panels that were packed before, one after the other.
template <class T>
auto packed_before(const T* panels, int64_t inner) {
  return [panels, inner] { return [panels, inner](int64_t column, int64_t) { return panels + column * inner; }; };
}

// left × right (inner, columns), inner a multiple of 32. panels() makes a thread's function from (column, width) to those
// columns of the right factor; out.store(tile, values) takes every tile of the product, in f32 or int32, and out.fetch(tile)
// says before that it will come.
template <class Factor, class Panels, class Out>
void multiply(const Factor& left, int64_t columns, const Panels& panels, const Out& out) {
  const int64_t tiles = (left.rows + kTile - 1) / kTile, panel_count = (columns + kPanel - 1) / kPanel;
  const int64_t row_parts = parts_of_rows(tiles, panel_count, at::get_num_threads());
  in_turns(row_parts * panel_count, [&](const auto& take) {
    const Products products;
    auto panel_of = panels();
    alignas(64) typename Factor::Sum values[kTile * kPanel];
    for (int64_t index = take(); index >= 0; index = take()) {
      const int64_t row_part = index / panel_count, column = index % panel_count * kPanel;
      const int64_t width = std::min(kPanel, columns - column);
      const auto* panel = panel_of(column, width);
      for (int64_t t = part(tiles, row_part, row_parts); t < part(tiles, row_part + 1, row_parts); ++t) {
        const Tile tile{t * kTile, std::min(kTile, left.rows - t * kTile), column, width};
        out.fetch(tile);
        multiply_tile(values, left, panel, tile);
        out.store(tile, values);
      }
    }
  });
}

}  // namespace distilburn
