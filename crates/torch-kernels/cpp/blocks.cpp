#include "blocks.h"

int64_t distilburn::rows_at_a_time(int64_t left) {
  for (const int64_t rows : {kTile, int64_t{24}, int64_t{6}}) {
    if (left >= rows) return rows;
  }
  return left;
}

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
  bool adds = false;
  for (const Slice& slice : left.slices) {
    for (int64_t row = 0; row < tile.rows;) {
      const int64_t rows = rows_at_a_time(tile.rows - row);
      product(out + row * tile.columns, slice.data + (tile.row + row) * slice.stride, slice.stride, panel, rows,
              tile.columns, slice.depth, adds);
      row += rows;
    }
    panel += slice.depth * tile.columns;
    adds = true;
  }
}
