// How many threads the calling thread's operations use, which LibTorch sets for the whole process only.

#include <ATen/Parallel.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "error.h"

extern "C" char* distilburn_set_own_threads(int threads) {
  return distilburn::guarded([&] {
    // LibTorch brings the process's number to a thread at that thread's first operation: before, not after.
    at::get_num_threads();
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
  });
}
