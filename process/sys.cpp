// The calling side of <coterie/sys.hpp>.

#include <coterie/sys.hpp>

#include "process/json.hpp"
#include "process/resolve.hpp"
#include "process/sys_messages.hpp"

namespace coterie::detail {
namespace {

template <class Request>
SysAnswer ask(const ServerRef& server, Request request, Duration timeout) {
  return call_message(server, make_message(MessageKind::system, std::move(request)),
                      {.timeout = timeout});
}

template <class Reply, class Request>
sys::Result<Reply> ask_for(const ServerRef& server, Request request, Duration timeout) {
  auto answer = ask(server, std::move(request), timeout);
  if (!answer) return std::unexpected(std::move(answer.error()));
  if constexpr (std::is_void_v<Reply>) {
    return {};
  } else {
    return take_reply<Reply>(**answer);
  }
}

/// Prints what a server on another node sends, to this node's log, as long as both go on.
Pid start_printer(const ServerRef& server) {
  return spawn(
      [server] {
        const Ref death = monitor(server);
        bool more = true;
        while (more) {
          receive(
              [](const TraceLine& event) {
                node_log().write(LogModule::process, LogLevel::info, event.line, {});
              },
              [&](const TraceEnd&) { more = false; },
              when([death](const Down& down) { return down.ref == death; },
                   [&](const Down&) { more = false; }));
        }
      },
      {.label = "sys::trace of " + to_string(server)});
}

}  // namespace

SysAnswer copy_state(const ServerRef& server, const std::type_info& type, CopyState copy,
                     Duration timeout) {
  return ask(server, GetState(type, copy), timeout);
}

std::expected<Bytes, CallError> packed_state(Message& answer) {
  auto raw = take_reply<RawState>(answer);
  if (!raw) return std::unexpected(std::move(raw.error()));
  if (raw->packed) return std::move(*raw->packed);
  return std::unexpected(CallError(
      CallError::Code::refused, CallError::Execution::not_executed,
      ExitReason::term("bad_state_type"),
      "the state of " + raw->server + " cannot leave its node: declare a state() that can"));
}

CallError not_that_state(const UnpackError& why) {
  return {CallError::Code::undecodable, CallError::Execution::executed,
          ExitReason::term("bad_state_type"),
          "the state is of another type, or cannot be packed: " + to_string(why)};
}

SysAnswer replace_state(const ServerRef& server, const std::type_info& type, ChangeState change,
                        Duration timeout) {
  return ask(server, ReplaceState{&type, std::move(change)}, timeout);
}

sys::Result<void> change_code(const ServerRef& server, MakeUpgraded make, Duration timeout) {
  return ask_for<void>(server, ChangeCode{std::move(make)}, timeout);
}

}  // namespace coterie::detail

namespace coterie::sys {

using detail::ask_for;

Result<StateDump> get_state(const ServerRef& server, Duration timeout) {
  auto raw = ask_for<detail::RawState>(server, detail::GetState{}, timeout);
  if (!raw) return std::unexpected(std::move(raw.error()));
  StateDump dump{std::move(raw->server), raw->version, std::move(raw->term), {}, {}};
  if (raw->packed) {
    dump.packed = std::move(*raw->packed);
    dump.json = json_from_packed(dump.packed).value_or("");
  }
  return dump;
}

Result<void> suspend(const ServerRef& server, Duration timeout) {
  return ask_for<void>(server, detail::Suspend{}, timeout);
}
Result<void> resume(const ServerRef& server, Duration timeout) {
  return ask_for<void>(server, detail::Resume{}, timeout);
}
Result<Status> get_status(const ServerRef& server, Duration timeout) {
  return ask_for<Status>(server, detail::GetStatus{}, timeout);
}

Result<void> trace(const ServerRef& server, bool on, Duration timeout) {
  detail::Process& self = detail::current_process();
  const auto there = detail::resolve(self, server, timeout);
  detail::SetTrace request{on, {}};
  const bool elsewhere = there.pid.node != NodeId::none && there.pid.node != self.runtime().node();
  // A process of this node also stands for the node when tracing ends.
  if (elsewhere) request.printer = on ? detail::start_printer(server) : self.pid();
  auto traced = ask_for<void>(server, request, timeout);
  if (!traced && elsewhere && on) send(request.printer, detail::TraceEnd{});
  return traced;
}

Result<void> log(const ServerRef& server, int events, Duration timeout) {
  const auto count = static_cast<std::uint32_t>(std::clamp(events, 0, 10'000));
  return ask_for<void>(server, detail::SetLog{count}, timeout);
}
Result<void> log(const ServerRef& server, bool on, Duration timeout) {
  return log(server, on ? 10 : 0, timeout);
}
Result<std::vector<std::string>> get_log(const ServerRef& server, Duration timeout) {
  return ask_for<std::vector<std::string>>(server, detail::GetLog{}, timeout);
}

Result<void> statistics(const ServerRef& server, bool on, Duration timeout) {
  return ask_for<void>(server, detail::SetStatistics{on}, timeout);
}
Result<Statistics> get_statistics(const ServerRef& server, Duration timeout) {
  return ask_for<Statistics>(server, detail::GetStatistics{}, timeout);
}

Result<void> install(const ServerRef& server, std::string id, DebugFunction function,
                     Duration timeout) {
  return ask_for<void>(server, detail::Install{std::move(id), std::move(function)}, timeout);
}
Result<void> remove(const ServerRef& server, std::string id, Duration timeout) {
  return ask_for<void>(server, detail::Remove{std::move(id)}, timeout);
}
Result<void> no_debug(const ServerRef& server, Duration timeout) {
  return ask_for<void>(server, detail::NoDebug{}, timeout);
}

Result<void> terminate(const ServerRef& server, ExitReason reason, Duration timeout) {
  return ask_for<void>(server, detail::Terminate{std::move(reason)}, timeout);
}

}  // namespace coterie::sys
