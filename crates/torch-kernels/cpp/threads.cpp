// How many threads the calling thread's operations use, which LibTorch sets for the whole process only.

#include <ATen/Parallel.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "error.h"

// Of MKL, which multiplies float in LibTorch for x86-64; absent elsewhere. macOS, where a weak symbol has to be found when
// linking, has LibTorch without MKL.
#ifdef __linux__
extern "C" int MKL_Set_Num_Threads_Local(int threads) __attribute__((weak));
#endif

extern "C" char* distilburn_set_own_threads(int threads) {
  return distilburn::guarded([&] {
    // At a thread's first operation LibTorch sets the process's number for it, MKL's too: now, so that it does not
    // overwrite this one later.
    at::get_num_threads();
#ifdef __linux__
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(threads);
#endif
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
  });
}
