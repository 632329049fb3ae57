#pragma once
// Processes: spawn, send, receive, links, monitors, exit signals, timers. The counterpart of
// Elixir's Process and Kernel. A process is a fiber with a mailbox; sleep, receive and call park
// it, not the thread. Every function here acts for the calling process and may only be called
// inside one, or on a thread that holds an Attached; anything else is a programming error and
// aborts.
//
// A process's functions run on one thread at a time. References to thread_local variables do not
// survive a parking call only if the process moves: a callback resumes on the thread that parked
// it. Never hold a mutex across a call, cast, send or receive: they may give up the turn.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <coterie/call_error.hpp>
#include <coterie/detail/message.hpp>
#include <coterie/exit_reason.hpp>
#include <coterie/pid.hpp>
#include <coterie/server_ref.hpp>
#include <coterie/time.hpp>

namespace coterie {

class Log;  // <coterie/log.hpp>

/// What a monitor reports: once per monitor. `noproc` if there was nothing to monitor.
struct Down {
  static constexpr std::string_view type_name = "coterie.down";
  Ref ref = Ref::none;
  Pid pid;
  ExitReason reason;
};

/// An exit signal, as a process that traps exits receives it.
struct Exit {
  static constexpr std::string_view type_name = "coterie.exit";
  Pid from;
  ExitReason reason;
};

/// What happens when a mailbox is full. Calls are always refused with `overloaded`.
enum class Overflow : std::uint8_t {
  refuse,    // new casts and sends are dropped and counted
  drop_old,  // the oldest messages make room for the new ones; dropped ones are counted, and a
             // dropped call is answered `overloaded`. While a callback runs nobody can take them
             // out: meanwhile up to as many again wait behind them, and what is more is refused
  park,      // the sender waits (timers and other nodes do not wait: theirs are refused)
  kill,      // the receiver is killed
};

/// The bounds of a mailbox; past an eighth of either an alarm is raised (see system_monitor) and
/// senders give up their turn with each message. Signals, answers and sys requests always get in.
/// Several senders at the same moment may each exceed a bound by one message.
struct MailboxLimits {
  std::size_t messages = 1'048'576;
  std::size_t bytes = 256u << 20;
  Overflow overflow = Overflow::refuse;
  friend bool operator==(const MailboxLimits&, const MailboxLimits&) = default;
};

struct SpawnOptions {
  bool link = false;
  bool trap_exit = false;
  std::string label{};  // for people: shown in info, status and reports
  std::optional<MailboxLimits> mailbox{};
};

/// The calling process.
Pid self();

Pid spawn(std::move_only_function<void()> body, SpawnOptions options = {});
Pid spawn_link(std::move_only_function<void()> body, SpawnOptions options = {});
std::pair<Pid, Ref> spawn_monitor(std::move_only_function<void()> body, SpawnOptions options = {});

/// Never fails: a message to a dead process or an unknown name is dropped and counted.
template <class T>
void send(const ServerRef& to, T message);
/// As send, and tells: noproc, overloaded (a full mailbox or link), nodedown, unavailable,
/// undecodable. Waits for nothing but the look-up of a name. Without an error the message is in the
/// mailbox or, for another node, on its way.
template <class T>
std::expected<void, CallError> try_send(const ServerRef& to, T message);

/// Links are bidirectional, one per pair. Linking to a dead process yields an exit signal `noproc`.
void link(const Pid& pid);
/// After it returns, no exit signal of that link arrives.
void unlink(const Pid& pid);

/// One Down per monitor. Monitors stack.
Ref monitor(const ServerRef& target);
/// With `flush`, a Down that is already in the mailbox is removed. True if the monitor was active.
bool demonitor(Ref monitor, bool flush = true);
/// Takes the Down of that monitor out of the mailbox; nothing if it does not come in time, and the
/// monitor stays.
std::optional<Down> receive_down(Ref monitor, Duration timeout = infinity);

/// Ends the calling process: its stack unwinds. Never returns.
[[noreturn]] void exit(ExitReason reason);
/// Sends an exit signal. ExitReason::kill() cannot be trapped.
void exit(const Pid& pid, ExitReason reason);
/// Returns the old setting.
bool trap_exit(bool on);

bool is_alive(const Pid& pid);  // processes of this node only
/// Registers the process `pid` of this node under a local name; false if either is taken or dead.
bool register_name(const std::string& name, const Pid& pid);
bool unregister_name(const std::string& name);
/// All local names of this node, sorted.
std::vector<std::string> registered();
std::optional<Pid> whereis(const std::string& name);
/// Whom a reference leads to now; nothing for a name of another node, which only that node knows.
std::optional<Pid> whereis(const ServerRef& server);
/// For people: shown in info, status and reports.
void set_label(std::string label);
/// The name of the calling process's node.
const std::string& node_name();
/// The node's wall clock, for time stamps in records. It may jump: never measure with it.
WallTime wall_time();
/// The node's log; processes of an application write to LogModule::application.
Log& node_log();

/// Parks the calling process. The wait may last longer, never shorter.
void sleep(Duration duration);
/// Lets other processes of this worker run first.
void yield();

/// Sends `message` after `delay`; a name is resolved then. The reference cancels it.
template <class T>
Ref send_after(Duration delay, const ServerRef& to, T message);
/// Sends a copy of `message` each `interval`, first after one, at a fixed rate: a late one does not
/// delay those that follow, and what a whole interval was missed for is left out. (For a fixed
/// delay a server sends itself the next one with send_after when it has handled this one.) Ends
/// when it is cancelled, or when `to` is a pid whose process has ended.
template <std::copy_constructible T>
Ref every(Duration interval, const ServerRef& to, T message);
/// What was left of the delay; nothing if it has already been sent (it may be in the mailbox).
std::optional<Duration> cancel_timer(Ref timer);
/// The same, without cancelling it.
std::optional<Duration> read_timer(Ref timer);

/// For a plain process that will have nothing to do for long: leaves its stack (destructors run)
/// and gives it back; the next message, or one that waits already, is for `next`, which runs as the
/// process's function from then on. Never returns. In a server it throws std::logic_error: a
/// server without work has no stack, and hibernates by what its handlers return.
[[noreturn]] void hibernate(std::move_only_function<void()> next);

/// Runs `work` on a thread that may block and parks the caller meanwhile. Exceptions come back.
/// A process killed meanwhile ends at once; `work` runs to its end all the same.
template <class F>
auto blocking(F work) -> std::invoke_result_t<F&>;

enum class Status : std::uint8_t { waiting, runnable, running, suspended, hibernating, exiting };

struct ProcessInfo {
  Pid pid;
  std::string registered_name;
  std::string label;
  std::string initial_call;  // the server's type or "function"
  Status status = Status::waiting;
  std::size_t message_queue_length = 0;
  bool trap_exit = false;
  Pid parent;
  std::vector<Pid> links;
  std::vector<Pid> monitors;      // whom it monitors, once for each monitor
  std::vector<Pid> monitored_by;  // who monitors it
  std::vector<Pid> ancestors;
  Epoch epoch;
  std::uint64_t messages_taken = 0;  // out of its mailbox, since it started: its "reductions"
  /// Bytes that the runtime holds for it: slot, mailbox and, while it waits in the middle of a
  /// function, its stack. What its own objects allocate is not known.
  std::size_t memory = 0;
  MailboxLimits mailbox;               // `messages` is no more than `bytes` has room for
  std::uint64_t refused_messages = 0;  // refused or dropped, because the mailbox was full
  bool mailbox_alarm = false;          // past its high-water mark; see system_monitor
  /// False: it did not come to its next message in time, or is a thread. Then only what can be seen
  /// from outside is filled in: pid, name, status, the mailbox.
  bool answered = true;
};
/// About the calling process.
ProcessInfo info();
/// About a process of this node, which answers for itself between two messages or where it waits.
/// Nothing if it is dead, or of another node.
std::optional<ProcessInfo> info(const Pid& pid, Duration timeout = std::chrono::seconds(5));
std::vector<Pid> list();
/// The leak report: live processes that were started by another one and that nobody supervises,
/// links to or monitors, so that nobody would notice their end and nothing ends them. Those that a
/// thread of the program started, linked, and left behind are not among them. One that does not
/// come to its next message within `timeout` is left out. A node that stops warns of them.
std::vector<ProcessInfo> orphans(Duration timeout = std::chrono::seconds(5));

/// What happened on the node since it started and would otherwise be invisible. Only grow.
struct NodeCounters {
  std::uint64_t spawned = 0;
  std::uint64_t exited = 0;
  std::uint64_t crashed = 0;
  std::uint64_t late_replies = 0;      // dropped before the mailbox
  std::uint64_t dead_letters = 0;      // to a process or name that is not there
  std::uint64_t refused_messages = 0;  // refused or dropped, because a mailbox was full
  std::uint64_t mailbox_alarms = 0;    // mailboxes past their high-water mark
  std::uint64_t stuck_callbacks = 0;
  std::uint64_t expired_requests = 0;  // not run: their callers had stopped to wait
  std::uint64_t abandoned_fibers = 0;  // of processes that could not be ended
};
NodeCounters node_counters();

/// A mailbox has passed its high-water mark, an eighth of its bound, or is back below half of that.
/// OTP's long_message_queue.
struct LongMessageQueue {
  static constexpr std::string_view type_name = "coterie.long_message_queue";
  Pid pid;
  bool on = true;
  std::uint64_t messages = 0;
};
/// A callback has held its worker for so long, and still does. OTP's long_schedule.
struct LongSchedule {
  static constexpr std::string_view type_name = "coterie.long_schedule";
  Pid pid;
  std::int64_t milliseconds = 0;
};
/// Whether the calling process gets these, as messages. They are logged as warnings in any case.
void system_monitor(bool on);

/// The first clause that accepts a message of the mailbox takes it; other messages stay, in order.
/// A clause is a function of one parameter (T, T&&, const T&); `when(pred, f)` adds a condition,
/// which may look at a message more than once and must not wait.
/// The parameter Message_ takes anything. `after(d, f)`, as last clause, runs when none came in
/// time.
template <class F>
struct After {
  Duration wait;
  F run;
};
template <class F>
After<F> after(Duration wait, F run) {
  return {wait, std::move(run)};
}
template <class P, class F>
struct When {
  P predicate;
  F run;
};
template <class P, class F>
When<P, F> when(P predicate, F run) {
  return {std::move(predicate), std::move(run)};
}
template <class... Clauses>
auto receive(Clauses&&... clauses);

/// A message of any type, for catch-all clauses and handlers: its type name (that of its C++ type
/// if it has none) and text.
class AnyMessage {
 public:
  explicit AnyMessage(detail::Message* message) noexcept : message_(message) {}
  std::string type_name() const;
  std::string to_text() const;
  template <class T>
  T* get() const noexcept {
    return message_->as<T>();
  }

 private:
  detail::Message* message_;
};

namespace detail {

void send_message(const ServerRef& to, MessagePtr message);
std::expected<void, CallError> try_send_message(const ServerRef& to, MessagePtr message);
Ref send_message_after(Duration delay, const ServerRef& to, MessagePtr message);
using MakeMessage = std::function<MessagePtr()>;
Ref send_message_every(Duration interval, const ServerRef& to, MakeMessage make);

/// Parks until complete() is called with the returned reference, at most `timeout`.
/// The one place where a process waits for an answer; calls use it too.
struct Ticket {
  Pid pid;
  Ref ref = Ref::none;
};
class Completer {
 public:
  Completer(class Runtime& runtime, Ticket ticket) noexcept : runtime_(&runtime), ticket_(ticket) {}
  /// Any thread, once. A second or late completion is dropped.
  template <class T>
  void operator()(T value) const {
    complete(make_message(MessageKind::reply, std::move(value)));
  }

 private:
  void complete(MessagePtr answer) const;
  class Runtime* runtime_;
  Ticket ticket_;
};
/// `start` is called with a Completer, then the process parks; nullptr after the timeout.
MessagePtr await_message(const std::function<void(Completer)>& start, Duration timeout);
void run_blocking(std::move_only_function<void()> job);

/// The end of a process that waits for a message where it cannot wait any more.
[[noreturn]] void receive_was_cut_short();
/// What says whether it takes a message: refers to a callable that outlives it.
class Match {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Match>)  // NOLINTNEXTLINE: any callable
      Match(F&& takes)
  noexcept
      : takes_(const_cast<void*>(static_cast<const void*>(&takes))),
        call_([](void* f, Message& message) -> bool {
          return (*static_cast<std::remove_reference_t<F>*>(f))(message);
        }) {}
  bool operator()(Message& message) const { return call_(takes_, message); }

 private:
  void* takes_;
  bool (*call_)(void*, Message&);
};
/// Walks the mailbox. nullptr after the timeout.
MessagePtr receive_message(Match match, Duration timeout);
/// The typed payload of a local message or, decoded, of one from another node.
template <class T>
MessagePtr decode_as(Message& message);

}  // namespace detail

/// Waits for an asynchronous operation: `start` gets a completer to be called once, from any
/// thread, with a T. Nothing after the timeout.
template <class T>
std::optional<T> await(const std::function<void(detail::Completer)>& start,
                       Duration timeout = infinity) {
  auto answer = detail::await_message(start, timeout);
  T* value = answer ? answer->as<T>() : nullptr;
  return value ? std::optional<T>(std::move(*value)) : std::nullopt;
}

template <class T>
void send(const ServerRef& to, T message) {
  detail::send_message(to, detail::make_message(detail::MessageKind::send, std::move(message)));
}

template <class T>
std::expected<void, CallError> try_send(const ServerRef& to, T message) {
  return detail::try_send_message(
      to, detail::make_message(detail::MessageKind::send, std::move(message)));
}

template <std::copy_constructible T>
Ref every(Duration interval, const ServerRef& to, T message) {
  return detail::send_message_every(interval, to, [message = std::move(message)] {
    return detail::make_message(detail::MessageKind::send, T(message));
  });
}

template <class T>
Ref send_after(Duration delay, const ServerRef& to, T message) {
  return detail::send_message_after(
      delay, to, detail::make_message(detail::MessageKind::send, std::move(message)));
}

template <class F>
auto blocking(F work) -> std::invoke_result_t<F&> {
  using Result = std::invoke_result_t<F&>;
  struct Shared {
    explicit Shared(F&& f) : work(std::move(f)) {}
    std::optional<F> work;
    std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result{};
    std::exception_ptr error;
  };
  // Shared with the job: the caller may be killed, and its stack be gone, before the job ends.
  auto shared = std::make_shared<Shared>(std::move(work));
  detail::run_blocking([shared] {
    try {
      if constexpr (std::is_void_v<Result>) {
        (*shared->work)();
      } else {
        shared->result.emplace((*shared->work)());
      }
    } catch (...) {
      shared->error = std::current_exception();
    }
    shared->work.reset();  // what it holds is given back before the caller goes on
  });
  if (shared->error) std::rethrow_exception(shared->error);
  if constexpr (!std::is_void_v<Result>) return std::move(*shared->result);
}

}  // namespace coterie

#include <coterie/detail/receive.hpp>
