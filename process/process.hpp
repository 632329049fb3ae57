#pragma once
// One process: its mailbox, what it waits for, its links and monitors. A Process is a slot of the
// runtime's table: its memory is never freed while the runtime lives, so any thread may push into
// it; a message names the generation it is meant for and is bounced by a successor.
//
// Members under "any thread" may be used so. All others belong to the thread that runs the process:
// the worker that took it from a run queue, or the thread of an Attached. Ideas: BEAM's signal
// queues (one lane for messages and signals keeps their order per pair), type-stable memory.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/process.hpp>

#include "process/behaviour.hpp"
#include "process/envelope.hpp"
#include "process/fiber.hpp"
#include "process/mailbox.hpp"
#include "process/message_queue.hpp"
#include "process/relations.hpp"
#include "process/timer.hpp"

namespace coterie::detail {

class Process;
class Runtime;
class Worker;

/// Ends a process: thrown at a suspension point, never caught by name outside the runtime.
struct ProcessExit {};

/// A signal of the runtime itself: link, unlink, exit, monitor, demonitor, down.
struct SignalBody {
  Signal signal = Signal::exit;
  bool link = false;
  ExitReason reason;
};

/// A function to run inside another process, between its callbacks; with nullptr if it is dead.
struct RunInside {
  std::move_only_function<void(Process*)> run;
};

struct SpawnRequest {
  std::unique_ptr<Behaviour> behaviour;
  SpawnOptions options;
  Pid parent;
  Ancestors ancestors;
  bool link = false;
  Ref monitor = Ref::none;  // the parent monitors from the start
  class AttachedThread* attached = nullptr;
};

/// What a process waits for, on the stack that waits. `in_place`: a server on the same worker may
/// put its reply there, without a message.
struct AwaitedAnswer {
  Ref ref = Ref::none;
  ReplyPlace* in_place = nullptr;
  MessagePtr message;
  bool here() const noexcept { return message || (in_place != nullptr && in_place->filled); }
};

enum class PushResult : std::uint8_t { pushed, full, no_process };
enum class Wake : std::uint8_t {
  woken,
  timeout,
  exiting,  // the process ends: the wait is over, return an error at once
  refused,  // the node's bound of parked fibers is reached
};

class alignas(64) Process {
 public:
  Process(Runtime& runtime, std::uint32_t slot, bool for_thread) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // ---- any thread
  /// User messages count against the mailbox's bound; signals, replies and system messages do not.
  /// `crowded`: the mailbox is past an eighth of its bound.
  PushResult push(MessagePtr& message, bool& crowded) noexcept;
  /// Fetches what push() will need: there may be millions of processes.
  void prefetch() const noexcept {
    __builtin_prefetch(reinterpret_cast<const std::byte*>(this) + 64);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(this) + 128);
  }
  bool alive(std::uint32_t generation) const noexcept {
    // Acquire pairs with the stores of spawn() and finish().
    return life_.load(std::memory_order_acquire) == living(generation);
  }
  std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(life_.load(std::memory_order_relaxed) >> 1);
  }
  /// User messages that wait.
  std::size_t queued() const noexcept {
    return (in_queue_.load(std::memory_order_relaxed) & ~Mailbox::moving) + mailbox_.counted();
  }
  Runtime& runtime() const noexcept { return runtime_; }

  // ---- the thread that runs the process
  Pid pid() const noexcept;
  /// Takes new messages in: signals act, replies wake, the rest joins the queue.
  void drain() {
    if (!mailbox_.empty()) take_mailbox();
  }
  /// One slice: up to `step` messages. Returns on the same thread, maybe after other processes ran.
  void run_slice();
  /// Waits for wake() or a message, depending on `wait_`. Returns `exiting` while unwinding.
  Wake suspend(Duration timeout);
  MessagePtr wait_answer(Ref ref, Duration timeout, bool& refused);
  /// The same, inline (process/switch.hpp). The answer is in the result, or in `in_place`.
  MessagePtr await_answer(Ref ref, Duration timeout, bool& refused, ReplyPlace* in_place);
  /// The process of the same worker that waits for the reply and has a place for one of `type`;
  /// nullptr: the reply must travel as a message.
  Process* in_place_caller(const Caller& caller, const MessageType* type) noexcept;
  ReplyPlace& reply_place() noexcept { return *awaited_->in_place; }
  void reply_placed() noexcept;
  MessagePtr receive(Match match, Duration timeout);
  /// Gives way to other processes of this worker.
  void yield();
  /// Counts a send against the turn, and gives the turn up when it is spent or the receiver
  /// crowded.
  void after_send(bool crowded);
  /// Called before an effect of a strict process leaves it: waits while the gate is closed. False:
  /// the process ends meanwhile, and the effect must not happen.
  [[nodiscard]] bool pass_gate();
  [[noreturn]] void raise_exit(ExitReason reason);
  void exit_later(ExitReason reason) noexcept {
    if (!exit_) exit_ = std::move(reason);
  }
  void handle_exit_signal(const Pid& from, const ExitReason& reason, bool link);
  Relations& relations();
  Names& names();
  Names* names_if_any() const noexcept { return relations_ ? relations_->names.get() : nullptr; }
  /// Who started it; none: it was started without a link.
  Pid parent() const noexcept { return has_parent_ ? ancestors_->front() : Pid{}; }
  /// For those it spawns.
  const Ancestors& ancestors_of_children();
  bool strict() const noexcept { return strict_; }
  /// Its name is a strict one: it may run while the gate is open.
  void set_epoch(const Epoch& epoch) {
    names().epoch = epoch;
    strict_ = static_cast<bool>(epoch);
  }
  /// What the process says of itself; `asked`: while it answers another one, between two messages
  /// or where it waits.
  ProcessInfo info(bool asked = false) const;
  /// Any thread: what can be seen from outside.
  ProcessInfo info_from_outside() const;
  bool has_queued();  // a message of the user's waits
  /// See orphans().
  bool is_orphan() const noexcept {
    const bool tied =
        linked_to_parent_ ||
        (relations_ && !(relations_->links.empty() && relations_->monitored_by.empty()));
    return !tied && ancestors_ && !ancestors_->empty() && !outlived_thread_ &&
           behaviour_ != nullptr;
  }
  /// Its target, which is still to be told; nothing: there is no such monitor.
  std::optional<Pid> take_monitor(Ref ref);
  bool has_link(const Pid& pid) const noexcept {
    return is_parents_link(pid) || (relations_ && relations_->links.contains(pid));
  }
  void add_link(const Pid& pid) {
    if (has_parent_ && pid == parent()) {
      linked_to_parent_ = true;
    } else {
      relations().links.insert({pid});
    }
  }
  /// False: there is none.
  bool remove_link(const Pid& pid) noexcept {
    if (is_parents_link(pid)) {
      linked_to_parent_ = false;
      return true;
    }
    return relations_ && relations_->links.erase(pid);
  }
  /// It has taken the caller's request; should it end before it answers, the caller is told.
  void note_caller(const Caller& caller) { relations().callers.push_back(caller); }
  void forget(const Caller& caller) noexcept { forget_caller(caller.pid, caller.ref); }
  /// Answers everybody who waits for this process to reply.
  void fail_callers(const CallError& error);
  const std::string& request_id() const noexcept;
  /// Who asked for what it runs, nearest first; see callers().
  std::span<const Pid> callers() const noexcept {
    return behaviour_ ? behaviour_->callers() : std::span<const Pid>();
  }
  bool ending() const noexcept { return exit_.has_value(); }
  /// It does not end by itself: an exit signal says so.
  bool ended_by_signal() const noexcept { return exit_by_signal_; }
  bool attached() const noexcept { return attached_ != nullptr; }
  /// A wait would return at once with an error, or does not need a worker.
  bool cannot_park() const noexcept;
  /// It has a worker, and the node's bound of parked fibers is not reached.
  bool may_park() const noexcept;
  /// Leaves the stack for ever: it waits for what it may not return without.
  [[noreturn]] void give_up();
  Overflow overflow() const noexcept { return overflow_.load(std::memory_order_relaxed); }
  void note_refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }
  /// See hibernate().
  bool may_hibernate() const noexcept { return behaviour_ && behaviour_->may_hibernate(); }
  /// The message it was just given is the next one again.
  void put_back(MessagePtr message);
  void drop_name(const std::string& name) {
    if (Names* mine = names_if_any(); mine != nullptr && mine->name == name) mine->name.clear();
  }
  bool take_name(const std::string& name);
  bool set_trap_exit(bool on) noexcept {
    const bool before = trap_exit_;
    trap_exit_ = on;
    return before;
  }
  /// Ends the process now if an exit is pending.
  void obey_exit() {
    if (exit_) on_exit();
  }
  void rest(Duration duration);
  /// Spawns; exits with system_limit when the table of processes is full.
  Pid spawn_child(SpawnRequest request);
  /// It has registered itself somewhere: its end is told to the name service.
  void note_registered() noexcept { registered_ = true; }
  Epoch epoch() const noexcept {
    const Names* mine = names_if_any();
    return mine != nullptr ? mine->epoch : Epoch{};
  }
  std::string_view strict_name() const noexcept {
    const Names* mine = names_if_any();
    return mine != nullptr ? std::string_view(mine->via_text) : std::string_view();
  }
  /// From std::terminate: leaves the stack if it is a process's end that was stopped; else returns.
  bool abandon_if_ending() noexcept;

 private:
  friend class Runtime;
  friend class Worker;
  friend class AttachedThread;
  friend class ServerLoop;
  friend class Serving;
  friend class ServerStart;

  enum class Wait : std::uint8_t { none, answer, message, time };

  bool hand_over(MessagePtr& message) noexcept;
  void wake_up(bool resting) noexcept;
  PushResult push_behind(MessagePtr& message, bool& crowded) noexcept;
  void take_mailbox();
  void accept(MessagePtr message);
  bool accept_alias(Ref ref);
  void accept_signal(Message& message, SignalBody& body);
  void bounce(MessagePtr message, const ExitReason& reason);
  void enqueue_own(MessagePtr message);
  void uncount(const Message& message) noexcept;
  template <class Callback>
  void guard(const Callback& callback);
  void release();
  void finish();
  void tell_relations(const Pid& self, const ExitReason& reason);
  void report_crash(const ExitReason& reason);
  std::string own_name() const;
  Status status(bool asked) const;
  void close_alias_of_monitor(Ref monitor) noexcept;
  void reset();
  Wake on_exit();
  static void on_wait_timer(Timer& timer);
  Wake wait_attached(Duration timeout);
  [[noreturn]] void abandon();
  void cancel(const Pid& caller, Ref ref, bool tell);
  bool forget_caller(const Pid& caller, Ref ref) noexcept;  // false: it is none
  void set_limits(const MailboxLimits& limits) noexcept;
  MailboxLimits limits() const noexcept;
  void bounce_late();
  bool refuses(const Message& message) noexcept;
  bool large_bytes_crowded() const noexcept;
  void relieve_mailbox();
  void drop_oldest();
  bool is_parents_link(const Pid& pid) const noexcept {
    return linked_to_parent_ && pid == parent();
  }
  template <class F>
  void for_each_link(const F& use) const {
    if (linked_to_parent_) use(parent());
    if (!relations_) return;
    for (const auto& [linked] : relations_->links) use(linked);
  }

  static std::uint64_t living(std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 1 | 1;
  }

  // Three cache lines: there may be millions. What few have is in relations_.
  // Shared.
  Mailbox mailbox_;                     // at rest, or owned by who runs or has queued the process
  std::atomic<std::uint64_t> life_{0};  // its generation; in bit 0, whether it is alive
  std::atomic<Worker*> home_{nullptr};  // set while parked: only that worker may resume it
  std::atomic<std::uint32_t> in_queue_{0};  // counted messages in queue_; written by the owner
  // The mailbox's bound. Atomic: a sender that found the predecessor alive may read them late.
  std::atomic<std::uint32_t> messages_limit_{0};
  std::atomic<std::size_t> bytes_limit_{0};
  std::atomic<std::size_t> large_bytes_{0};  // of counted messages that are larger than a slot
  std::atomic<Overflow> overflow_{Overflow::refuse};
  std::atomic<bool> alarmed_{false};  // its crowd was reported
  // A slot serves attached threads only, or workers only: a late sender may still act on the
  // predecessor's kind. An attached thread owns its mailbox, and drains when it is notified.
  const bool for_thread_;
  const std::uint32_t slot_;
  Runtime& runtime_;

  // Owned by the running thread.
  Process* run_next_ = nullptr;  // in a run queue, under its lock
  Worker* worker_ = nullptr;     // that runs it now; nullptr for attached threads
  class AttachedThread* attached_ = nullptr;
  Fiber* parked_ = nullptr;
  std::unique_ptr<Behaviour> behaviour_;
  std::unique_ptr<Relations> relations_;
  Ancestors ancestors_;
  AwaitedAnswer* awaited_ = nullptr;
  class Serving* serving_ = nullptr;          // the call being handled
  [[no_unique_address]] MessageQueue queue_;  // the next member fits in its last word
  std::uint32_t run_turn_ = 0;                // its place among all that wait in a run queue
  std::optional<ExitReason> exit_;
  std::uint8_t sends_ = 0;  // of this slice
  Wait wait_ : 2 = Wait::none;
  bool registered_ : 1 = false;
  bool exit_by_signal_ : 1 = false;
  bool woken_ : 1 = false;
  bool timed_out_ : 1 = false;
  bool started_ : 1 = false;
  bool looking_ : 1 = false;  // in receive(), for messages, before it parks
  bool trap_exit_ : 1 = false;
  bool thrown_ : 1 = false;  // ProcessExit is or was under way
  bool finishing_ : 1 = false;
  bool abandoned_ : 1 = false;
  bool outlived_thread_ : 1 = false;  // that it was linked to: its program's main has gone first
  bool strict_ : 1 = false;
  bool has_parent_ : 1 = false;
  bool linked_to_parent_ : 1 = false;
  std::atomic<std::uint32_t> refused_{0};  // messages, because the mailbox was full; any thread
  std::uint64_t taken_ = 0;                // messages, out of the queue
};
static_assert(sizeof(Process) == 192);

/// A call being handled: its caller is told if the process ends, and is noted for later if the
/// handler returns without a reply.
class Serving {
 public:
  Serving(Process& process, const Caller& caller, const Message& request) noexcept
      : process_(process), caller_(&caller), extra_(request.extra()) {
    process_.serving_ = this;
  }
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  /// nullptr: it has its answer.
  const Caller* caller() const noexcept { return caller_; }
  void answered() noexcept { caller_ = nullptr; }
  const Extra* extra() const noexcept { return extra_; }

 private:
  Process& process_;
  const Caller* caller_;
  const Extra* extra_;
};

/// See context.hpp.
extern constinit thread_local Process* this_process;
/// The answer to a request that nobody waits for on the spot, as a Response.
MessagePtr response_of(MessagePtr answer);

/// The process that the calling thread runs now, or nullptr.
inline Process* running_process() noexcept { return this_process; }
[[noreturn]] void no_running_process();
/// The same; aborts with a readable message when there is none.
inline Process& current_process() {
  if (this_process == nullptr) no_running_process();
  return *this_process;
}

}  // namespace coterie::detail
