// Messages, made here and freed here.

#include "error.h"

#include <cstdlib>
#include <cstring>

namespace {

char out_of_memory[] = "out of memory";

}  // namespace

char* distilburn::message(const char* what) noexcept {
  char* copy = strdup(what);
  return copy == nullptr ? out_of_memory : copy;
}

extern "C" void distilburn_free_message(char* message) {
  if (message != out_of_memory) free(message);
}
