#include "blocks.h"

#include <algorithm>

int64_t distilburn::rows_at_a_time(int64_t left) {
  for (const int64_t rows : {kTile, int64_t{24}, int64_t{6}}) {
    if (left >= rows) return rows;
  }
  return left;
}

int64_t distilburn::parts_of_rows(int64_t tiles, int64_t panels, int64_t threads) {
  const auto rounded_up = [](int64_t count, int64_t parts) { return (count + parts - 1) / parts; };
  const auto busiest = [&](int64_t parts) { return rounded_up(tiles, parts) * rounded_up(panels * parts, threads); };
  int64_t best = 1;
  for (int64_t parts = 2; parts <= std::min(tiles, threads); ++parts) {
    if (busiest(parts) < busiest(best)) best = parts;
  }
  return best;
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
