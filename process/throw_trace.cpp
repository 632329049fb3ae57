#include "process/throw_trace.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <unwind.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <vector>

namespace coterie::detail {

/// Stands for the type_info of ThrownHere in the tables of handlers.
class AskingTypeInfo final : public std::type_info {
 public:
  AskingTypeInfo() = delete;
  bool __do_catch(const std::type_info* thrown, void** object, unsigned outer) const override;
};

namespace {

constexpr std::size_t frames_max = 48;
constexpr std::size_t places_max = 8192;  // remembered; more is a program that never repeats itself

struct Noted {
  const void* object = nullptr;
  std::size_t depth = 0;
  std::array<void*, frames_max> frames{};
};
constinit thread_local Noted noted;

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* into) {
  auto& trace = *static_cast<Noted*>(into);
  if (trace.depth == frames_max) return _URC_END_OF_STACK;
  trace.frames[trace.depth++] = reinterpret_cast<void*>(_Unwind_GetIP(context));
  return _URC_NO_REASON;
}

}  // namespace

bool AskingTypeInfo::__do_catch(const std::type_info*, void** object, unsigned) const {
  noted.object = *object;
  noted.depth = 0;
  _Unwind_Backtrace(&note_frame, &noted);
  return false;
}

// The object that the symbol of ThrownHere's type_info names: a pointer to AskingTypeInfo's virtual
// functions, which come after two words of its table, and a name. Laid out by hand, so that it is
// there before any constructor runs.
extern const void* const table_of_asking_type_info[] asm("_ZTVN7coterie6detail14AskingTypeInfoE");
struct TypeInfoLayout {
  const void* functions;
  const char* name;
};
extern const TypeInfoLayout type_info_of_thrown_here asm("_ZTIN7coterie6detail10ThrownHereE");
constinit const TypeInfoLayout type_info_of_thrown_here = {table_of_asking_type_info + 2,
                                                           "N7coterie6detail10ThrownHereE"};

std::span<void* const> thrown_from(const void* object) noexcept {
  if (object != nullptr && noted.object != object) return {};
  return {noted.frames.data(), noted.depth};
}

std::string StackText::look_up(void* address) {
  // The address is where the call returns to: the call itself is just before.
  auto* const call = static_cast<std::byte*>(address) - 1;
  Dl_info info{};
  if (dladdr(call, &info) == 0 || info.dli_fname == nullptr) return "?";
  const std::string_view path = info.dli_fname;
  std::array<char, 24> offset{};
  const auto hex = [&](const void* from) {
    std::snprintf(offset.data(), offset.size(), "+0x%zx",
                  static_cast<std::size_t>(call - static_cast<const std::byte*>(from)));
    return std::string(offset.data());
  };
  const std::string place = std::string(path.substr(path.rfind('/') + 1)) + hex(info.dli_fbase);
  if (info.dli_sname == nullptr) return place;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status), &std::free);
  return (status == 0 ? name.get() : info.dli_sname) + (" (" + place + ")");
}

std::string StackText::of(std::span<void* const> frames) {
  std::lock_guard guard(lock_);
  std::vector<std::string_view> lines;
  std::vector<std::string> unknown;
  unknown.reserve(frames.size());
  for (void* frame : frames) {
    auto found = known_.find(frame);
    if (found == known_.end() && known_.size() < places_max) {
      found = known_.emplace(frame, look_up(frame)).first;
    }
    if (found == known_.end()) unknown.push_back(look_up(frame));
    const std::string_view line = found == known_.end() ? unknown.back() : found->second;
    // Whatever was below the throw itself is how this was found out.
    if (line.starts_with("__cxa_throw") || line.starts_with("__cxa_rethrow") ||
        line.starts_with("std::rethrow_exception")) {
      lines.clear();
    } else if (line.starts_with("coterie::detail::ServerLoop::") ||
               line.starts_with("coterie::detail::Process::")) {
      break;
    } else {
      lines.push_back(line);
    }
  }
  while (!lines.empty() && lines.back().find("coterie::detail::") != std::string_view::npos) {
    lines.pop_back();
  }
  std::string text;
  for (const std::string_view line : lines) {
    if (!text.empty()) text += '\n';
    text += line;
  }
  return text;
}

}  // namespace coterie::detail
