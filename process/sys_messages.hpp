#pragma once
// The requests of sys, as servers receive them: MessageKind::system, past the mailbox's bound. From
// another node they come as calls whose type begins with "coterie.sys."; those that carry functions
// cannot leave their node. Internal: users call <coterie/sys.hpp>.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <coterie/sys.hpp>

namespace coterie::detail {

/// Whether a packed call of that type is one of these.
constexpr std::string_view system_requests = "coterie.sys.";
inline bool is_system_request(std::string_view type) { return type.starts_with(system_requests); }

/// A state as it crosses to another node.
struct RawState {
  static constexpr std::string_view type_name = "coterie.sys.raw_state";
  std::string server;
  int version = 0;
  std::string term;
  std::optional<Bytes> packed;
};

struct GetState {
  static constexpr std::string_view type_name = "coterie.sys.get_state";
  GetState() = default;
  GetState(const std::type_info& wanted, CopyState how) : type(&wanted), copy(how) {}
  const std::type_info* type = nullptr;  // nullptr: raw
  CopyState copy = nullptr;
};
struct ReplaceState {
  const std::type_info* type = nullptr;
  ChangeState change;
};
struct Suspend {
  static constexpr std::string_view type_name = "coterie.sys.suspend";
};
struct Resume {
  static constexpr std::string_view type_name = "coterie.sys.resume";
};
struct GetStatus {
  static constexpr std::string_view type_name = "coterie.sys.get_status";
};
struct SetTrace {
  static constexpr std::string_view type_name = "coterie.sys.trace";
  bool on = false;
  Pid printer;  // on another node; none: the server's own log
};
/// To the printer.
struct TraceLine {
  static constexpr std::string_view type_name = "coterie.sys.trace_line";
  std::string line;
};
struct TraceEnd {
  static constexpr std::string_view type_name = "coterie.sys.trace_end";
};
struct SetLog {
  static constexpr std::string_view type_name = "coterie.sys.log";
  std::uint32_t events = 0;
};
struct GetLog {
  static constexpr std::string_view type_name = "coterie.sys.get_log";
};
struct SetStatistics {
  static constexpr std::string_view type_name = "coterie.sys.statistics";
  bool on = false;
};
struct GetStatistics {
  static constexpr std::string_view type_name = "coterie.sys.get_statistics";
};
struct Install {
  std::string id;
  sys::DebugFunction function;
};
struct Remove {
  static constexpr std::string_view type_name = "coterie.sys.remove";
  std::string id;
};
struct NoDebug {
  static constexpr std::string_view type_name = "coterie.sys.no_debug";
};
struct Terminate {
  static constexpr std::string_view type_name = "coterie.sys.terminate";
  ExitReason reason;
};
struct ChangeCode {
  MakeUpgraded make;
};

}  // namespace coterie::detail

namespace coterie {

/// Only the question leaves its node: which type is asked for means nothing elsewhere.
template <>
struct Packing<detail::GetState> {
  static void pack(Packer& packer, const detail::GetState&) { packer.nil(); }
  static bool unpack(Unpacker& unpacker, detail::GetState&) { return unpacker.skip(); }
};

}  // namespace coterie
