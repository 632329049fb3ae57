#pragma once
// From a ServerRef to where it leads now. A via name may be resolved by asking other nodes or the
// store, which parks the calling process.

#include <string>
#include <vector>

#include "process/runtime.hpp"

namespace coterie::detail {

struct Destination {
  Pid pid{};           // serial 0 with a name: a local name of that node; serial 0 without: nowhere
  std::string name{};  // on another node
  Epoch epoch{};
  bool cached = false;
  /// Set when there is nowhere to send to.
  CallError::Code code = CallError::Code::noproc;
  std::string detail{};
  bool found() const noexcept { return static_cast<bool>(pid) || !name.empty(); }
};

/// `fresh`: past every cache of via names.
Destination resolve(Process& self, const ServerRef& ref, Duration timeout, bool fresh = false);
void forget(Runtime& runtime, const ServerRef& ref, const Destination& destination);

}  // namespace coterie::detail
