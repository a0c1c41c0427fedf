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
  bool adds = false;
  for (const Slice& slice : left.slices) {
    const uint16_t* rows = slice.data + tile.row * slice.stride;
    if (stepped > 0) product(out, rows, slice.stride, panel, stepped, tile.columns, slice.depth, adds);
    if (stepped < tile.rows) {
      product(out + stepped * tile.columns, rows + stepped * slice.stride, slice.stride, panel, tile.rows - stepped,
              tile.columns, slice.depth, adds);
    }
    panel += slice.depth * tile.columns;
    adds = true;
  }
}
