#pragma once
// sys: looking into servers while they run. The counterpart of OTP's module of that name. Every
// GenServer and all that is built on it (Supervisor, Registry, Agent, ...) answers; requests go
// through the mailbox in order, are served between two callbacks, restart the idle timeout with its
// full period and leave a hibernating server hibernating. Functions act for the calling process.
//
//   class Counter final : public GenServer {
//    public:
//     static constexpr int version = 1;               // of the state, for upgrades; 0 if not given
//     std::int64_t& state() { return count_; }        // what sys shows, replaces and upgrades
//     std::string format_status(const std::int64_t&); // optional: what is shown in its place
//     ...
//   };
//   auto count = sys::get_state<Counter>(local("counter")).value();
//   sys::replace_state<Counter>(local("counter"), [](std::int64_t count) { return count + 1; });
//   sys::trace(local("counter"), true);               // *DBG* counter got call get from <0.3.1>
//
// format_status may be overloaded for the state, for messages and for replies: it returns what
// traces, logs, status and crash reports show instead (text as it is, other values as terms).
// Without state() there is nothing to read or replace; format_status() alone is then the state's
// text. A plain process, which has no behaviour, answers `refused`. Idea: sys.erl.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/gen_server.hpp>

namespace coterie::sys {

template <class T>
using Result = std::expected<T, CallError>;

/// A server's state, whatever its type.
struct StateDump {
  std::string server;  // its type
  int version = 0;
  std::string term;  // Erlang's notation, cut at a bound
  std::string json;  // empty: the state cannot be packed
  Bytes packed;      // with field names
};

/// What the state of T is: that of a server's state(), or T itself.
template <class T>
using StateOf = typename detail::StateOf<T>::type;

/// A copy of the state. T is the server's type or that of its state. From another node it comes
/// packed. `refused`: the server has no state(), or one of another type.
template <class T>
Result<StateOf<T>> get_state(const ServerRef& server, Duration timeout = default_call_timeout);
Result<StateDump> get_state(const ServerRef& server, Duration timeout = default_call_timeout);

/// Runs `replace` in the server: StateOf<T>(const StateOf<T>&), or void(StateOf<T>&) on a copy.
/// Returns the new state. If it throws the state stays, and the error's reason is OTP's
/// {callback_failed,...}. Servers of this node only: a function cannot leave its node.
template <class T, class F>
Result<StateOf<T>> replace_state(const ServerRef& server, F replace,
                                 Duration timeout = default_call_timeout);

/// User messages wait in the mailbox, within its bound, until resume; sys is served, and the exit
/// of the parent still ends it.
Result<void> suspend(const ServerRef& server, Duration timeout = default_call_timeout);
Result<void> resume(const ServerRef& server, Duration timeout = default_call_timeout);

enum class Running : std::uint8_t { running, suspended };

struct Status {
  Pid pid;
  std::string name;  // registered name or pid, as in traces
  std::string server;
  int version = 0;
  Running running = Running::running;
  Pid parent;
  std::vector<std::string> ancestors;
  std::vector<std::string> debug;  // what is switched on: trace, log, statistics, functions
  std::vector<std::string> log;    // logged events
  std::string state;               // as format_status shows it
};
/// {status,Pid,{module,gen_server},[...]}
std::string to_string(const Status& status);
Result<Status> get_status(const ServerRef& server, Duration timeout = default_call_timeout);

/// What happened in a server, as traces show it.
struct Event {
  enum class Kind : std::uint8_t {
    call,       // got call `message` from `peer`
    cast,       // got cast `message`
    info,       // got `message`
    continued,  // went on with `message`
    reply,      // sent `message` to `peer`, new state `state`
    state,      // new state `state`
  };
  Kind kind = Kind::info;
  Pid pid;             // of the server
  std::string server;  // its name or pid
  std::string message;
  Pid peer;
  std::string state;
};
/// "*DBG* counter got cast reset"
std::string to_string(const Event& event);

/// Prints each event as one line to the log of the calling process's node, wherever the server is.
/// What a full link to that node cannot take is left out.
Result<void> trace(const ServerRef& server, bool on, Duration timeout = default_call_timeout);

/// Keeps the last `events` (true: 10) for get_log and get_status; 0 or false: none.
Result<void> log(const ServerRef& server, int events, Duration timeout = default_call_timeout);
Result<void> log(const ServerRef& server, bool on, Duration timeout = default_call_timeout);
/// Oldest first, one line each.
Result<std::vector<std::string>> get_log(const ServerRef& server,
                                         Duration timeout = default_call_timeout);

struct Statistics {
  WallTime start_time{};
  WallTime current_time{};
  std::uint64_t reductions = 0;  // callbacks run; the nearest thing that C++ can count
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;  // replies that callbacks returned
};
Result<void> statistics(const ServerRef& server, bool on, Duration timeout = default_call_timeout);
/// `refused` with reason no_statistics unless they are switched on.
Result<Statistics> get_statistics(const ServerRef& server, Duration timeout = default_call_timeout);

/// Runs in the server at each event; false, or an exception, removes it. Installing an id that is
/// there changes nothing, as in OTP. Servers of this node only.
using DebugFunction = std::move_only_function<bool(const Event&)>;
Result<void> install(const ServerRef& server, std::string id, DebugFunction function,
                     Duration timeout = default_call_timeout);
Result<void> remove(const ServerRef& server, std::string id,
                    Duration timeout = default_call_timeout);
/// Ends trace, log, statistics and functions.
Result<void> no_debug(const ServerRef& server, Duration timeout = default_call_timeout);

/// The server answers, runs terminate and exits with `reason`. GenServer::stop also waits.
Result<void> terminate(const ServerRef& server, ExitReason reason,
                       Duration timeout = default_call_timeout);

/// Puts a NewServer in the place of a suspended server of this node: same process, mailbox, name,
/// links and epoch. The old state travels packed, with field names:
///   static State NewServer::code_change(int old_version, BytesView old_state, const Extra&);
/// returns the new one (or expected<State, ExitReason>); the default reads the old bytes as the new
/// State, which is enough where fields were only appended. The new server is made as
/// NewServer(State), or NewServer() and then state() = State. The old one is destroyed last: if
/// anything throws or refuses, it goes on as it was. Error: `refused`, with the reason.
/// A supervisor's child spec still names the old type: change it too.
template <class NewServer, class Extra = Nothing>
Result<void> change_code(const ServerRef& server, Extra extra = {},
                         Duration timeout = default_call_timeout);

}  // namespace coterie::sys

#include <coterie/detail/sys.hpp>
