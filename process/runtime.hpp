#pragma once
// All processes of one node: the table of slots, the workers, local names, timers that outlive a
// callback, and the routes to other nodes. Made at the composition root with every outside thing as
// an argument; N runtimes live side by side in one program. Thread-safe unless a comment says not.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <coterie/log.hpp>

#include "process/blocking_jobs.hpp"
#include "process/fiber_depot.hpp"
#include "process/gate.hpp"
#include "process/ports/callback_watch.hpp"
#include "process/ports/distribution.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/journals.hpp"
#include "process/ports/name_service.hpp"
#include "process/ports/node_events.hpp"
#include "process/ports/random.hpp"
#include "process/process.hpp"
#include "process/throw_trace.hpp"
#include "process/worker.hpp"

namespace coterie::detail {

/// Sizes of a node. Every one is a bound (P6).
struct RuntimeOptions {
  std::string node = "nonode";
  Incarnation incarnation{1, NodeId{1}};
  unsigned workers = 0;                // 0: one per processor, as the executor's caller decides
  std::size_t parked_fibers = 16'384;  // two kernel maps each, of 65,530
  std::size_t processes = 4'000'000;
  std::size_t timers = 16'000'000;       // of send_after; at the bound it ends its caller
  std::size_t overflow_signals = 1024;   // to one node, past its window, before their makers wait
  std::size_t stack_bytes = 256u << 10;  // of address space; a parked fiber touches about 4 KiB
  MailboxLimits mailbox{};
  Duration stuck_after = std::chrono::seconds(1);  // a callback that runs longer is reported
  Duration stop_max = std::chrono::seconds(10);    // stop() waits so long without one that ends
};

/// Everything outside. All must outlive the runtime.
struct RuntimePorts {
  const Clock& clock;
  Random& random;
  Executor& executor;
  Log& log;
};

/// What happened and would otherwise be invisible. Only grow.
struct RuntimeCounters {
  std::atomic<std::uint64_t> crashed{0};
  std::atomic<std::uint64_t> late_replies{0};      // dropped before the mailbox
  std::atomic<std::uint64_t> dead_letters{0};      // to a process or name that is not there
  std::atomic<std::uint64_t> refused_messages{0};  // by a full mailbox
  std::atomic<std::uint64_t> alarms{0};            // mailboxes past their high-water mark
  std::atomic<std::uint64_t> abandoned_fibers{0};
  std::atomic<std::uint64_t> stuck_callbacks{0};
  std::atomic<std::uint64_t> expired_requests{0};  // not run: their deadline had passed
};

class Runtime final : public DistributionEvents {
 public:
  Runtime(RuntimeOptions options, RuntimePorts ports);
  /// Stops. Aborts, with a line that says why, if what it would free is still in use: by a callback
  /// that never returns, as std::thread does, or by an attached thread.
  ~Runtime() override;

  /// Before the first process that uses them.
  void set_distribution(Distribution* distribution) noexcept {
    distribution_.store(distribution, std::memory_order_release);
  }
  void set_names(NameService* names) noexcept { names_ = names; }
  void set_journals(Journals* journals) noexcept { journals_ = journals; }
  void set_watch(CallbackWatch* watch) noexcept { watch_ = watch; }

  /// Kills every process, waits for their destructors and takes the workers off their threads.
  /// Whoever still holds the runtime (attached threads, the agreement, ...) meets dead processes
  /// from now on. Takes as long as processes end. False: for `stop_max` none has, because a
  /// callback or a job of blocking() does not return, which is logged. Nothing that it may use can
  /// be destroyed then: leave by std::_Exit.
  [[nodiscard]] bool stop();

  NodeId node() const noexcept { return options_.incarnation.id; }
  const RuntimeOptions& options() const noexcept { return options_; }
  const Clock& clock() const noexcept { return ports_.clock; }
  Random& random() const noexcept { return ports_.random; }
  Executor& executor() const noexcept { return ports_.executor; }
  Log& log() const noexcept { return ports_.log; }
  Gate& gate() noexcept { return gate_; }
  RuntimeCounters& counters() noexcept { return counters_; }
  StackText& stack_text() noexcept { return stack_text_; }
  NameService* names() const noexcept { return names_; }
  Journals* journals() const noexcept { return journals_; }
  CallbackWatch* watch() const noexcept { return watch_; }
  Distribution* distribution() const noexcept {
    return distribution_.load(std::memory_order_acquire);
  }
  Ref make_ref() noexcept;

  // ---- processes
  /// Pid{} when the table is full.
  Pid spawn(SpawnRequest request);
  Process* find(const Pid& pid) noexcept;  // of this node and alive, else nullptr
  std::vector<Pid> list();
  /// What the slots that were ever used occupy.
  std::size_t table_bytes() const noexcept {
    return slots_bound_.load(std::memory_order_relaxed) * sizeof(Process);
  }
  std::size_t process_count() const noexcept;
  std::uint64_t spawned() const noexcept;
  std::uint64_t exited() const noexcept;
  /// The caller owns the process. It goes to the end of a queue.
  void schedule(Process& process);
  /// As schedule(), for a process that the running one has woken: it runs next.
  void schedule_woken(Process& process);
  void free_slot(Process& process);
  void note_exit() noexcept;
  /// A worker has nothing to do: whoever waits for the last process's end looks again.
  void worker_rests();
  /// A mailbox has passed its high-water mark, or is below half of it again.
  void note_crowd(const Process& process, bool on, std::size_t messages);
  /// A full mailbox has refused a message: its process's policy may be to end.
  void refused(const Pid& from, const Pid& to);
  /// See system_monitor().
  void system_monitor(const Pid& subscriber, bool on);

  // ---- messages
  /// To a process of this node. `message` is kept unless the result is `pushed`.
  PushResult push(const Pid& to, MessagePtr& message);
  PushResult push(const Pid& to, MessagePtr& message, bool& crowded);
  PushResult push_here(const Pid& to, MessagePtr& message, bool& crowded) noexcept;
  void signal(const Pid& from, const Pid& to, Signal signal, Ref ref, ExitReason reason = {},
              bool link = false);
  /// Tells the target of a monitor that is there no more.
  void end_monitor(const Pid& watcher, const Pid& target, Ref ref);
  void answer(const Caller& caller, MessagePtr answer);
  void fail(const Caller& caller, CallError error);
  void complete(const Ticket& ticket, MessagePtr answer);
  /// Runs `job` on a thread that may block. No job begins once the runtime has stopped, and stop()
  /// waits for those under way.
  void run_blocking(std::move_only_function<void()> job);

  // ---- local names
  bool register_name(const std::string& name, const Pid& pid);
  bool unregister_name(const std::string& name, const Pid& pid);
  std::optional<Pid> whereis(std::string_view name) const;
  std::vector<std::string> registered() const;
  /// O(names): for reports.
  std::string name_of(const Pid& pid) const;

  // ---- the gate
  /// The agreement moved the gate: strict processes that were held go on if it is open.
  void gate_moved();
  /// A callback of a strict process runs on some worker at this moment. After the gate has closed
  /// and this was false once, none runs until it opens again.
  bool strict_running() const noexcept;
  /// Kills every strict process with {shutdown,fenced}.
  void fence();
  bool hold(Process& process);      // false: the gate is open
  bool hold(const Ticket& ticket);  // false: the gate is open
  bool gate_open() const noexcept { return gate_.is_open(clock().now()); }

  // ---- timers
  /// Ref::none at the bound of timers.
  Ref start_timer(Duration delay, ServerRef to, MessagePtr message);
  std::optional<Duration> cancel_timer(Ref timer);
  std::optional<Duration> read_timer(Ref timer);
  std::size_t timer_count() const noexcept { return timers_.load(std::memory_order_relaxed); }

  // ---- other nodes (process/remote.cpp)
  SendResult send_remote(NodeId node, Envelope& envelope);
  /// Signals that must not be lost wait in the node's overflow until the window has room.
  void signal_remote(NodeId node, Envelope envelope);
  /// `ticket` is completed when the node's window has room again, or the node is gone.
  void wait_writable(NodeId node, const Ticket& ticket);
  // False: there is no session with the node, so nothing will ever come of it.
  /// Parks `self` while too many signals wait for room in the node's window.
  void wait_for_overflow(Process& self, NodeId node);
  bool note_call(NodeId node, Ref ref, const Pid& caller);
  void forget_call(NodeId node, Ref ref);
  /// A request to a name that nobody waits for on the spot: cancel_request() will need the name.
  void note_name(NodeId node, Ref ref, std::string name);
  /// Its answer is not wanted any more: unless it runs already, it will not.
  /// `tell`: a word on that is, if it comes in time. False: it has been answered already.
  bool cancel_request(const Pid& from, const Pid& to, Ref ref, bool tell = false);
  // The session (Envelope::session) in which the other node is to be told of what is noted. In a
  // newer one it would hear of what its loss has ended here: half a link.
  using SessionNumber = std::optional<std::uint64_t>;
  SessionNumber note_monitor(NodeId node, Ref ref, const Pid& watcher, const Pid& target);
  void forget_monitor(NodeId node, Ref ref);
  SessionNumber note_link(NodeId node, const Pid& here, const Pid& there);
  /// Until the other node has acknowledged `unlink`, what it says of links of these two is of the
  /// link that was, and not heard. False: there is no session.
  SessionNumber note_unlink(NodeId node, const Pid& here, const Pid& there, Ref unlink);
  /// How much waits for, watches, or is tied to other nodes.
  struct RemoteTables {
    std::size_t calls = 0, monitors = 0, watchers = 0, links = 0, unlinks = 0, overflow = 0,
                waiting = 0;
  };
  RemoteTables remote_tables();
  void subscribe_nodes(const Pid& subscriber, bool on = true);
  void node_up(const Peer& peer) override;
  void deliver(NodeId from, Envelope&& envelope) override;
  void node_down(const Peer& peer, std::string_view why, bool confirmed) override;
  void writable(NodeId node) override;
  /// Messages to the subscribers of node events, past the bounds of their mailboxes.
  void announce(const std::function<MessagePtr()>& make);

  /// What every process says of itself; one that is stuck is left out. Parks the calling process
  /// at most `timeout`.
  std::vector<ProcessInfo> snapshot(Duration timeout, bool (*wanted)(const Process&) = nullptr);
  /// See info(pid).
  std::optional<ProcessInfo> info_of(const Pid& pid, Duration timeout);
  std::size_t parked() const noexcept;
  const std::vector<std::unique_ptr<Worker>>& workers() const noexcept { return workers_; }
  FiberDepot& fibers() noexcept { return fibers_; }

 private:
  friend class Worker;
  friend class Process;
  friend class AttachedThread;

  struct Watch {
    Pid watcher;
    Pid watched;
  };
  struct RemoteNode {
    std::string name;
    std::uint64_t session = 0;                    // grows with each node_up
    std::uint64_t link_session = 0;               // Peer::session
    std::unordered_map<Ref, Pid> calls;           // ours, waiting for an answer
    std::unordered_map<Ref, std::string> names;   // of calls: to whom, if not to a pid
    std::map<Ref, std::pair<Pid, Pid>> monitors;  // ours: watcher, target
    std::map<Ref, Watch> watchers;                // theirs, of processes here
    std::set<std::pair<Pid, Pid>> links;          // here, there
    std::map<std::pair<Pid, Pid>, Ref> unlinks;   // here, there: ours, not acknowledged
    std::deque<Envelope> overflow;                // signals that found the window full, in order
    std::vector<Ticket> waiting;                  // for room in the window
    bool up = false;
    bool flushing = false;
    bool flush_again = false;
  };
  std::vector<ProcessInfo> ask_all(std::span<const Pid> pids, Duration timeout,
                                   bool (*wanted)(const Process&));
  Process* slot(std::uint32_t index) noexcept {
    std::byte* segment = segments_[index / segment_slots].load(std::memory_order_acquire);
    return std::launder(
        reinterpret_cast<Process*>(segment + index % segment_slots * sizeof(Process)));
  }
  /// Where it lives or lived; nullptr: nowhere on this node.
  Process* find_slot(const Pid& pid) noexcept {
    const auto low = static_cast<std::uint32_t>(pid.serial);
    if (pid.node != node() || low == 0 || low > slots_bound_.load(std::memory_order_acquire)) {
      return nullptr;
    }
    return slot(low - 1);
  }
  Process* claim_slot(bool for_thread);
  void tally(std::atomic<std::uint64_t> Worker::Counts::*counter) noexcept;
  std::uint64_t sum(std::atomic<std::uint64_t> Worker::Counts::*counter) const noexcept;
  Worker* own_worker() noexcept;  // that the calling thread runs, if it is of this node
  bool is_thread(const Pid& pid) noexcept;
  Worker& worker_for_new_work() noexcept;
  void wake_helper(Worker& busy);
  void monitor_workers();
  void arm_monitor();
  Time wait_for_the_last();
  void report_unended(bool stuck);
  void deliver_signal(NodeId from, Envelope& envelope);
  void deliver_request(Envelope& envelope);
  void refuse_location(const Envelope& late);
  void location_refused(const Epoch& epoch);
  void deliver_answer(NodeId from, Envelope& envelope);
  void flush(NodeId node);
  void wake_writers(NodeId node);
  void send_late(const ServerRef& to, MessagePtr message);
  void fire(TimerEntry& entry);
  bool repeats(TimerEntry& entry);
  void tell_system_monitors(const std::function<MessagePtr()>& make);
  void forget_timer(TimerEntry& entry);

  const RuntimeOptions options_;
  RuntimePorts ports_;
  std::atomic<Distribution*> distribution_{nullptr};  // idle workers look for it, too
  NameService* names_ = nullptr;
  Journals* journals_ = nullptr;
  CallbackWatch* watch_ = nullptr;
  Gate gate_;
  RuntimeCounters counters_;
  StackText stack_text_;

  static constexpr std::size_t segment_slots = 8192;
  static constexpr std::size_t fibers_kept_max = 2048;  // besides those of the workers
  std::vector<std::atomic<std::byte*>> segments_;
  std::mutex slots_lock_;  // guards the next two
  std::uint32_t slots_made_ = 0;
  std::deque<std::uint32_t> free_slots_;
  std::deque<std::uint32_t> free_thread_slots_;
  std::atomic<std::uint32_t> slots_bound_{0};   // slots_made_ for readers; the slots below exist
  Worker::Counts counts_;                       // what other threads than the workers did
  std::atomic<std::uint64_t> threads_{0};       // that were ever attached: they count as spawned
  std::atomic<std::size_t> parked_granted_{0};  // of parked_fibers, to workers
  std::atomic<std::uint64_t> next_ref_{1};
  std::atomic<unsigned> next_worker_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> attached_{0};
  const std::shared_ptr<BlockingJobs> blocking_ = std::make_shared<BlockingJobs>();

  mutable std::shared_mutex names_lock_;
  std::unordered_map<std::string, Pid> local_names_;

  std::mutex held_lock_;
  std::set<Pid> held_;  // once each, however many messages come for them
  std::vector<Ticket> held_tickets_;

  std::atomic<std::size_t> timers_{0};  // of send_after, pending or being dropped

  std::mutex remote_lock_;
  std::unordered_map<NodeId, RemoteNode> remote_;
  std::atomic<std::size_t> overflowing_{0};  // nodes whose overflow is not empty; changed locked
  std::uint64_t sessions_ = 0;
  std::vector<Pid> node_subscribers_;

  std::mutex system_monitors_lock_;
  std::vector<Pid> system_monitors_;

  FiberDepot fibers_{fibers_kept_max};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> added_;  // to the executor
  std::unique_ptr<Strand> monitor_;
  Strand* monitor_strand_ = nullptr;  // valid while a job of it runs, also in its destructor
  std::atomic<bool> monitor_armed_{false};
  struct Seen {
    std::uint64_t slices = 0;
    Time since{};
    bool reported = false;
  };
  std::vector<Seen> seen_;  // the monitor's own
};

/// A plain thread as a process: it runs its own mailbox while it waits. Made by Node::attach().
class AttachedThread {
 public:
  explicit AttachedThread(Runtime& runtime, std::string label = "attached");
  ~AttachedThread();
  AttachedThread(const AttachedThread&) = delete;
  AttachedThread& operator=(const AttachedThread&) = delete;
  Pid pid() const noexcept { return pid_; }
  /// Makes this the calling thread's process (the last one attached is, already).
  void use() noexcept;

 private:
  friend class Process;
  friend class Runtime;
  void wait(Process& process, Duration timeout);

  Runtime& runtime_;
  Process* process_ = nullptr;
  Process* outer_ = nullptr;
  Pid pid_;
};

}  // namespace coterie::detail
