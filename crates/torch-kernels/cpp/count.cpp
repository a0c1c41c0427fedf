// How often LibTorch is asked for which operation, for tests: an operation that another one asks for is part of it.

#include <ATen/record_function.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "error.h"

namespace {

// Views and memory, which start nothing on a device. What these ask for besides, such as a copy, counts by itself.
const std::set<std::string> kFree{
    "aten::_reshape_alias", "aten::_unsafe_view", "aten::alias",     "aten::as_strided", "aten::contiguous",
    "aten::detach",         "aten::empty",        "aten::empty_like", "aten::empty_strided", "aten::expand",
    "aten::expand_as",      "aten::narrow",       "aten::new_empty", "aten::numpy_T",    "aten::permute",
    "aten::reshape",        "aten::resolve_conj", "aten::select",    "aten::slice",      "aten::squeeze",
    "aten::t",              "aten::to",           "aten::transpose", "aten::unsqueeze",  "aten::view",
    "aten::view_as",
};

thread_local std::map<std::string, int64_t> counts;
thread_local int64_t depth = 0;
thread_local std::optional<at::CallbackHandle> handle;

struct Inside : at::ObserverContext {};

std::unique_ptr<at::ObserverContext> begun(const at::RecordFunction& function) {
  const std::string name = function.name();
  if (kFree.count(name) > 0) return nullptr;
  if (depth++ == 0) ++counts[name];
  return std::make_unique<Inside>();
}

void ended(const at::RecordFunction&, at::ObserverContext* inside) {
  if (inside != nullptr) --depth;
}

}  // namespace

// Counts what the calling thread asks for from now on.
extern "C" char* distilburn_count_begin() {
  return distilburn::guarded([&] {
    TORCH_CHECK(!handle.has_value(), "count: begun already");
    counts.clear();
    depth = 0;
    handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(begun, ended).scopes({at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE}));
  });
}

// Ends it. What is counted, a line each of the number and the name; never null.
extern "C" char* distilburn_count_end() {
  std::string lines;
  char* failed = distilburn::guarded([&] {
    TORCH_CHECK(handle.has_value(), "count: not begun");
    at::removeCallback(*handle);
    handle.reset();
    for (const auto& [name, count] : counts) lines += std::to_string(count) + " " + name + "\n";
  });
  return failed != nullptr ? failed : distilburn::message(lines.c_str());
}
