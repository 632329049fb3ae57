#pragma once
// Where an exception was thrown, for crash reports. Nothing is paid until an exception leaves a
// callback: while the runtime looks for a handler (phase one of the Itanium ABI's two) the stack of
// the throw is still there, and the search asks each handler's type whether it takes the
// exception. A handler for ThrownHere is asked, notes the stack, and declines:
//
//   } catch (const ThrownHere&) {  // never entered
//   } catch (...) { exit_cause(...) }
//
// An exception that is caught inside a callback never comes that far. Idea: E. Catmur, "Zero-
// overhead exception stacktraces", P2490.

#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

namespace coterie::detail {

class ThrownHere {
 public:
  ThrownHere() = delete;
  virtual ~ThrownHere();  // never defined, so that its type_info is the one in throw_trace.cpp
};

/// The return addresses below the throw of `object` (nullptr: of whatever came last), which this
/// thread has noted; empty if it has noted another since. Valid until the next throw.
std::span<void* const> thrown_from(const void* object) noexcept;

/// From addresses to text: one line a function, demangled, innermost first; frames of the runtime
/// at either end are left out. Names need programs linked with -rdynamic; functions that are not
/// exported print as file+offset, for addr2line. Thread-safe; remembers what it has looked up,
/// since the same places crash again and again.
class StackText {
 public:
  std::string of(std::span<void* const> frames);

 private:
  std::string look_up(void* address);

  std::mutex lock_;
  std::unordered_map<void*, std::string> known_;
};

}  // namespace coterie::detail
