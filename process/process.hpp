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
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/process.hpp>

#include "process/behaviour.hpp"
#include "process/envelope.hpp"
#include "process/fiber.hpp"
#include "process/ports/name_service.hpp"
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

/// A FIFO of messages, owned by one thread.
class MessageQueue {
 public:
  MessageQueue() = default;
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  ~MessageQueue() { clear(); }
  void push_back(MessagePtr message) noexcept;
  MessagePtr pop_front() noexcept;
  Message* front() const noexcept { return first_; }
  /// Removes the message after `previous` (nullptr: the first one).
  MessagePtr remove_after(Message* previous) noexcept;
  void clear() noexcept;
  bool empty() const noexcept { return first_ == nullptr; }
  /// Grows with each removal: a pointer to a message of the queue is good while it stays.
  std::uint64_t removals() const noexcept { return removals_; }

 private:
  std::uint64_t removals_ = 0;
  Message* first_ = nullptr;
  Message* last_ = nullptr;
};

struct SpawnRequest {
  std::unique_ptr<Behaviour> behaviour;
  SpawnOptions options;
  Pid parent;
  std::vector<Pid> ancestors;
  bool link = false;
  Ref monitor = Ref::none;  // the parent monitors from the start
  class AttachedThread* attached = nullptr;
};

enum class PushResult : std::uint8_t { pushed, full, no_process };
enum class Wake : std::uint8_t {
  woken,
  timeout,
  exiting,  // the process ends: the wait is over, return an error at once
  refused,  // the node's bound of parked fibers is reached
};

/// The rarely used part of a process: who it is tied to, and what it is called.
struct Relations {
  std::vector<Pid> links;
  std::map<Ref, Pid> monitors;  // ours, by reference; each is an alias too
  std::map<Ref, bool> aliases;  // true: the first message closes it
  std::set<std::pair<Pid, Ref>> monitored_by;
  std::vector<Pid> ancestors;
  std::string name;
  std::string label;
  std::string via_text;  // registry/key
  ViaName via;
  Registration registration;
};

class Process {
 public:
  Process(Runtime& runtime, std::uint32_t slot, bool for_thread) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // ---- any thread
  /// User messages count against the mailbox's bound; signals, replies and system messages do not.
  PushResult push(MessagePtr&& message) noexcept;
  bool alive(std::uint32_t generation) const noexcept {
    return generation_.load(std::memory_order_acquire) == generation &&
           alive_.load(std::memory_order_acquire);
  }
  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed); }
  bool crowded() const noexcept {
    return queued() > messages_limit_.load(std::memory_order_relaxed) / 8;
  }
  Runtime& runtime() const noexcept { return runtime_; }

  // ---- the thread that runs the process
  Pid pid() const noexcept;
  /// Takes new messages in: signals act, replies wake, the rest joins the queue.
  void drain();
  /// One slice: up to `step` messages. Returns on the same thread, maybe after other processes ran.
  void run_slice();
  /// Waits for wake() or a message, depending on `wait_`. Returns `exiting` while unwinding.
  Wake suspend(Duration timeout);
  MessagePtr wait_answer(Ref ref, Duration timeout, bool& refused);
  MessagePtr receive(const std::function<bool(Message&)>& match, Duration timeout);
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
  bool strict() const noexcept { return static_cast<bool>(epoch_); }
  ProcessInfo info() const;
  bool has_queued();  // a message of the user's waits
  void add_link(const Pid& pid) { relations().links.push_back(pid); }
  void remove_link(const Pid& pid) {
    if (relations_) std::erase(relations_->links, pid);
  }
  void forget(const Caller& caller) noexcept { forget_caller(caller.pid, caller.ref); }
  /// Answers everybody who waits for this process to reply.
  void fail_callers(const CallError& error);
  const std::string& request_id() const noexcept { return request_id_; }
  /// Who asked for what it runs, nearest first; see callers().
  std::span<const Pid> callers() const noexcept {
    return behaviour_ ? behaviour_->callers() : std::span<const Pid>();
  }
  bool ending() const noexcept { return exit_.has_value(); }
  /// A wait would return at once with an error, or does not need a worker.
  bool cannot_park() const noexcept;
  /// Leaves the stack for ever: it waits for what it may not return without.
  [[noreturn]] void give_up();
  Overflow overflow() const noexcept { return overflow_.load(std::memory_order_relaxed); }
  void drop_name(const std::string& name) {
    if (relations_ && relations_->name == name) relations_->name.clear();
  }
  bool take_name(const std::string& name);
  bool set_trap_exit(bool on) noexcept { return std::exchange(trap_exit_, on); }
  /// Ends the process now if an exit is pending.
  void obey_exit() {
    if (exit_) suspend(Duration::zero());
  }
  void rest(Duration duration);
  /// Spawns; exits with system_limit when the table of processes is full.
  Pid spawn_child(SpawnRequest request);
  /// It has registered itself somewhere: its end is told to the name service.
  void note_registered() noexcept { registered_ = true; }
  const Epoch& epoch() const noexcept { return epoch_; }
  std::string_view strict_name() const noexcept {
    return relations_ ? std::string_view(relations_->via_text) : std::string_view();
  }
  /// From std::terminate: leaves the stack if it is a process's end that was stopped; else returns.
  bool abandon_if_ending() noexcept;

 private:
  friend class Runtime;
  friend class Worker;
  friend class AttachedThread;
  friend class ServerLoop;

  enum class Wait : std::uint8_t { none, answer, message, time };

  void accept(MessagePtr message);
  bool accept_alias(Ref ref);
  void accept_signal(Message& message, SignalBody& body);
  void bounce(MessagePtr message, const ExitReason& reason);
  void enqueue_own(MessagePtr message);
  void uncount(const Message& message) noexcept;
  void guard(const std::function<void()>& callback);
  void release();
  void finish();
  void tell_relations(const Pid& self, const ExitReason& reason);
  void report_crash(const ExitReason& reason);
  void reset();
  Wake on_exit();
  bool enter_parked() noexcept;
  [[noreturn]] void abandon();
  void cancel(const Pid& caller, Ref ref);
  void forget_caller(const Pid& caller, Ref ref) noexcept;
  void set_limits(const MailboxLimits& limits) noexcept;
  void bounce_late();

  // Shared. `mailbox_` is a stack pushed by compare-and-swap (release) and taken whole (acquire).
  std::atomic<Message*> mailbox_{nullptr};
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<bool> alive_{false};
  std::atomic<bool> scheduled_{false};  // in a run queue or running: exactly one holder
  std::atomic<Worker*> home_{nullptr};  // set while parked: only that worker may resume it
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> queued_bytes_{0};
  // The mailbox's bound. Atomic: a sender that found the predecessor alive may read them late.
  std::atomic<std::size_t> messages_limit_{0};
  std::atomic<std::size_t> bytes_limit_{0};
  std::atomic<Overflow> overflow_{Overflow::refuse};

  Runtime& runtime_;
  const std::uint32_t slot_;
  // A slot serves attached threads only, or workers only: a late sender may still act on the
  // predecessor's kind. An attached thread drains without `scheduled_`, which stays set meanwhile.
  const bool for_thread_;

  // Owned by the running thread.
  Process* run_next_ = nullptr;  // in a run queue, under its lock
  Worker* worker_ = nullptr;     // that runs it now; nullptr for attached threads
  class AttachedThread* attached_ = nullptr;
  Fiber* parked_ = nullptr;
  struct WaitTimer final : Timer {
    explicit WaitTimer(Process& owner) noexcept;
    Process& process;
  } timer_;
  std::unique_ptr<Behaviour> behaviour_;
  std::unique_ptr<Relations> relations_;
  MessageQueue queue_;
  MessagePtr answer_;
  Ref waiting_for_ = Ref::none;
  Wait wait_ = Wait::none;
  bool registered_ = false;
  bool exit_by_signal_ = false;
  bool woken_ = false;
  bool timed_out_ = false;
  bool started_ = false;
  bool trap_exit_ = false;
  bool thrown_ = false;  // ProcessExit is or was under way
  bool finishing_ = false;
  bool abandoned_ = false;
  unsigned sends_ = 0;  // of this slice
  Epoch epoch_;
  Pid parent_;
  std::optional<ExitReason> exit_;
  std::vector<Caller> callers_;  // whose requests this process has taken and not answered
  std::string request_id_;       // of the call being handled
};

/// The process that the calling thread runs now, or nullptr.
Process* running_process() noexcept;
/// The same; aborts with a readable message when there is none.
Process& current_process();

}  // namespace coterie::detail
