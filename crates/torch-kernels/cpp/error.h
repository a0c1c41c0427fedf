// Errors across the C interface: nothing that is thrown may pass it.

#pragma once

#include <exception>

namespace distilburn {

// `what` as a C string for distilburn_free_message to free; a constant where there is no memory for it.
char* message(const char* what) noexcept;

// nullptr, or the message of what `f` threw.
template <class F>
char* guarded(F f) noexcept {
  try {
    f();
    return nullptr;
  } catch (const std::exception& error) {
    return message(error.what());
  } catch (...) {
    return message("an exception that is no std::exception");
  }
}

}  // namespace distilburn
