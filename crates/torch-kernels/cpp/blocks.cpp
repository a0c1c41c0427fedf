#include "blocks.h"

distilburn::Grid::Grid(int64_t tiles, int64_t panels, int64_t threads) : rows(1), columns(threads) {
  const auto busiest = [&](int64_t row_parts, int64_t column_parts) {
    return ((tiles + row_parts - 1) / row_parts) * ((panels + column_parts - 1) / column_parts);
  };
  for (int64_t row_parts = 2; row_parts <= threads; ++row_parts) {
    if (threads % row_parts != 0) continue;
    if (busiest(row_parts, threads / row_parts) < busiest(rows, columns)) {
      rows = row_parts;
      columns = threads / row_parts;
    }
  }
}

void distilburn::multiply_tile(float* out, const Left& left, const uint16_t* panel, const Tile& tile) {
  // The rest on its own: as many shapes of products, each of which oneDNN makes code for, as there are multiples of a
  // step in a tile and rests.
  const int64_t stepped = tile.rows / kStep * kStep;
  for (int64_t inner = 0; inner < left.inner; inner += kSlice) {
    const uint16_t* rows = left.data + inner / kSlice * left.slice + tile.row * left.stride;
    const uint16_t* right = panel + inner * tile.columns;
    const int64_t depth = std::min(kSlice, left.inner - inner);
    const bool adds = inner > 0;
    if (stepped > 0) product(out, rows, left.stride, right, stepped, tile.columns, depth, adds);
    if (stepped < tile.rows) {
      product(out + stepped * tile.columns, rows + stepped * left.stride, left.stride, right, tile.rows - stepped,
              tile.columns, depth, adds);
    }
  }
}
