// The functions of <coterie/process.hpp>, for the calling process.

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <coterie/nodes.hpp>

#include "process/exit_cause.hpp"
#include "process/resolve.hpp"
#include "process/runtime.hpp"

namespace coterie {

using detail::current_process;
using detail::Process;
using detail::Runtime;

namespace detail {
namespace {

/// Thrown by hibernate(): takes the stack down to where the process's function was called.
struct Hibernation {
  std::move_only_function<void()> next;
};

/// A process that runs one function and, if that hibernates, the next one.
class Function final : public Behaviour {
 public:
  explicit Function(std::move_only_function<void()> body) : body_(std::move(body)) {}
  void start() override { run(); }
  /// The message that wakes it is its function's to receive.
  void handle(MessagePtr message) override {
    current_process().put_back(std::move(message));
    run();
  }
  std::string_view initial_call() const noexcept override { return "function"; }
  bool hibernating() const noexcept override { return hibernating_; }
  bool may_hibernate() const noexcept override { return true; }

 private:
  void run() {
    Process& self = current_process();
    do {
      hibernating_ = false;
      if (!hibernates(std::exchange(body_, nullptr))) {
        self.exit_later(ExitReason::normal());
        return;
      }
      hibernating_ = true;
    } while (self.has_queued());
  }
  /// The function, and what it holds, is gone when this returns.
  bool hibernates(std::move_only_function<void()> body) {
    try {
      body();
      return false;
    } catch (Hibernation& asked) {
      body_ = std::move(asked.next);
      return true;
    }
  }

  std::move_only_function<void()> body_;
  bool hibernating_ = false;
};

Pid spawn_function(std::move_only_function<void()> body, SpawnOptions options, Ref monitor) {
  Process& self = current_process();
  SpawnRequest request;
  request.behaviour = std::make_unique<Function>(std::move(body));
  request.link = options.link;
  request.options = std::move(options);
  request.parent = self.pid();
  request.ancestors = self.ancestors_of_children();
  request.monitor = monitor;
  const bool link = request.link;
  const Pid pid = self.spawn_child(std::move(request));
  if (link && pid) self.add_link(pid);
  if (monitor != Ref::none && pid) self.relations().monitors.insert({monitor, pid});
  return pid;
}

}  // namespace

MessagePtr await_message(const std::function<void(Completer)>& start, Duration timeout) {
  Process& self = current_process();
  const Ticket ticket{self.pid(), self.runtime().make_ref()};
  start(Completer(self.runtime(), ticket));
  bool refused = false;
  auto answer = self.wait_answer(ticket.ref, timeout, refused);
  if (refused) self.raise_exit(ExitReason::term("system_limit"));
  return answer;
}

void Completer::complete(MessagePtr answer) const {
  runtime_->complete(ticket_, std::move(answer));
}

void run_blocking(std::move_only_function<void()> job) {
  Process& self = current_process();
  if (self.cannot_park()) {
    // A plain thread may block; and what a destructor cleans up must be done when it returns.
    job();
    return;
  }
  const MessagePtr ran = await_message(
      [&](Completer done) {
        self.runtime().run_blocking([job = std::move(job), done]() mutable {
          job();
          done(true);
        });
      },
      infinity);
  // Killed while another exception unwinds: the caller must not read a result that is not there.
  if (!ran) self.give_up();
}

MessagePtr receive_message(Match match, Duration timeout) {
  return current_process().receive(match, timeout);
}

Ref send_message_every(Duration interval, const ServerRef& to, MakeMessage make) {
  if (interval <= Duration::zero()) throw std::invalid_argument("every() of no time at all");
  return send_message_after(interval, to,
                            make_message(MessageKind::send, Repeat(std::move(make), interval)));
}

void receive_was_cut_short() { current_process().give_up(); }

Ref send_message_after(Duration delay, const ServerRef& to, MessagePtr message) {
  Process& self = current_process();
  message->from = self.pid();
  const Ref timer = self.runtime().start_timer(delay, to, std::move(message));
  if (timer == Ref::none) self.raise_exit(ExitReason::term("system_limit"));
  return timer;
}

}  // namespace detail

Pid self() { return current_process().pid(); }

Pid spawn(std::move_only_function<void()> body, SpawnOptions options) {
  return detail::spawn_function(std::move(body), std::move(options), Ref::none);
}

Pid spawn_link(std::move_only_function<void()> body, SpawnOptions options) {
  options.link = true;
  return detail::spawn_function(std::move(body), std::move(options), Ref::none);
}

std::pair<Pid, Ref> spawn_monitor(std::move_only_function<void()> body, SpawnOptions options) {
  const Ref ref = current_process().runtime().make_ref();
  return {detail::spawn_function(std::move(body), std::move(options), ref), ref};
}

/// `session`: in which it was noted (Runtime::note_link).
static void tell_there(Process& self, const Pid& to, Signal signal, Ref ref,
                       std::uint64_t session) {
  Envelope envelope;
  envelope.signal = signal;
  envelope.from = self.pid();
  envelope.to = to;
  envelope.ref = ref;
  envelope.session = session;
  self.runtime().signal_remote(to.node, std::move(envelope));
}

void link(const Pid& pid) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  if (pid == self.pid() || self.has_link(pid)) return;
  runtime.wait_for_overflow(self, pid.node);
  self.add_link(pid);
  if (pid.node == runtime.node()) {
    runtime.signal(self.pid(), pid, Signal::link, Ref::none);
  } else if (const auto session = runtime.note_link(pid.node, self.pid(), pid)) {
    tell_there(self, pid, Signal::link, Ref::none, *session);
  } else {
    self.handle_exit_signal(pid, ExitReason::noconnection(), true);
  }
}

void unlink(const Pid& pid) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  if (!self.has_link(pid)) return;
  runtime.wait_for_overflow(self, pid.node);
  if (pid.node == runtime.node()) {
    self.remove_link(pid);
    runtime.signal(self.pid(), pid, Signal::unlink, Ref::none);
    return;
  }
  const Ref ref = runtime.make_ref();
  const auto session = runtime.note_unlink(pid.node, self.pid(), pid, ref);
  // What has come of the link by now counts; of what comes from now on nothing does.
  if (session) self.drain();
  self.remove_link(pid);
  if (session) tell_there(self, pid, Signal::unlink, ref, *session);
}

bool trap_exit(bool on) { return current_process().set_trap_exit(on); }

void exit(ExitReason reason) { current_process().raise_exit(std::move(reason)); }

void exit(const Pid& pid, ExitReason reason) {
  Process& self = current_process();
  if (!self.pass_gate()) return;
  if (pid == self.pid()) {
    // A signal to oneself acts before the call returns.
    self.handle_exit_signal(pid, reason, false);
    self.obey_exit();
    return;
  }
  self.runtime().wait_for_overflow(self, pid.node);
  self.runtime().signal(self.pid(), pid, Signal::exit, Ref::none, std::move(reason));
}

Ref monitor(const ServerRef& target) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  const Ref ref = runtime.make_ref();
  const detail::Destination to = detail::resolve(self, target, default_call_timeout);
  runtime.wait_for_overflow(self, to.pid.node);
  self.relations().monitors.insert({ref, to.pid});
  if (to.pid.node == runtime.node()) {
    runtime.signal(self.pid(), to.pid, Signal::monitor, ref);
  } else if (to.pid.node == NodeId::none && to.code != CallError::Code::nodedown) {
    runtime.signal(to.pid, self.pid(), Signal::down, ref, ExitReason::noproc());
  } else if (const auto session = runtime.note_monitor(to.pid.node, ref, self.pid(), to.pid);
             !session) {
    runtime.signal(to.pid, self.pid(), Signal::down, ref, ExitReason::noconnection());
  } else {
    Envelope envelope;
    envelope.signal = Signal::monitor;
    envelope.session = *session;
    envelope.from = self.pid();
    envelope.ref = ref;
    if (to.name.empty()) {
      envelope.to = to.pid;
    } else {
      envelope.to = LocalName{to.name};
    }
    runtime.signal_remote(to.pid.node, std::move(envelope));
  }
  return ref;
}

bool demonitor(Ref monitor, bool flush) {
  Process& self = current_process();
  const auto target = self.take_monitor(monitor);
  if (target) {
    self.runtime().wait_for_overflow(self, target->node);
    self.runtime().end_monitor(self.pid(), *target, monitor);
  }
  if (flush) receive_down(monitor, Duration::zero());
  return target.has_value();
}

std::optional<Down> receive_down(Ref monitor, Duration timeout) {
  const auto message = detail::receive_message(
      [monitor](detail::Message& candidate) {
        const Down* down = candidate.as<Down>();
        return down != nullptr && down->ref == monitor;
      },
      timeout);
  return message ? std::optional(std::move(*message->as<Down>())) : std::nullopt;
}

bool is_alive(const Pid& pid) { return current_process().runtime().find(pid) != nullptr; }

bool register_name(const std::string& name, const Pid& pid) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  if (pid == self.pid()) return self.take_name(name);
  // Only a process knows whether it lives and what it is called: it takes the name itself.
  const auto taken = await<bool>([&](detail::Completer done) {
    auto message = detail::make_message(detail::MessageKind::signal,
                                        detail::RunInside{[name, done](Process* target) {
                                          done(target != nullptr && target->take_name(name));
                                        }});
    if (runtime.push(pid, message) != detail::PushResult::pushed) done(false);
  });
  return taken.value_or(false);
}

bool unregister_name(const std::string& name) {
  Runtime& runtime = current_process().runtime();
  const auto pid = runtime.whereis(name);
  if (!pid || !runtime.unregister_name(name, *pid)) return false;
  // It may take another one.
  if (*pid == current_process().pid()) {
    current_process().drop_name(name);
    return true;
  }
  auto message =
      detail::make_message(detail::MessageKind::signal, detail::RunInside{[name](Process* target) {
                             if (target != nullptr) target->drop_name(name);
                           }});
  runtime.push(*pid, message);
  return true;
}

std::optional<Pid> whereis(const std::string& name) {
  return current_process().runtime().whereis(name);
}

std::vector<std::string> registered() { return current_process().runtime().registered(); }

std::optional<Pid> whereis(const ServerRef& server) {
  Process& self = current_process();
  const detail::Destination found = detail::resolve(self, server, default_call_timeout);
  return found.pid ? std::optional(found.pid) : std::nullopt;
}

void set_label(std::string label) { current_process().names().label = std::move(label); }

const std::string& node_name() { return current_process().runtime().options().node; }

WallTime wall_time() { return current_process().runtime().clock().wall(); }

Log& node_log() { return current_process().runtime().log(); }

void sleep(Duration duration) { current_process().rest(duration); }

void yield() { current_process().yield(); }

std::optional<Duration> cancel_timer(Ref timer) {
  return current_process().runtime().cancel_timer(timer);
}

std::optional<Duration> read_timer(Ref timer) {
  return current_process().runtime().read_timer(timer);
}

void hibernate(std::move_only_function<void()> next) {
  if (!current_process().may_hibernate()) {
    throw std::logic_error(
        "hibernate() is for plain processes: a server returns noreply().hibernate()");
  }
  throw detail::Hibernation{std::move(next)};
}

ProcessInfo info() { return current_process().info(); }

std::optional<ProcessInfo> info(const Pid& pid, Duration timeout) {
  return current_process().runtime().info_of(pid, timeout);
}

NodeCounters node_counters() {
  Runtime& runtime = current_process().runtime();
  const auto& counted = runtime.counters();
  return {.spawned = runtime.spawned(),
          .exited = runtime.exited(),
          .crashed = counted.crashed,
          .late_replies = counted.late_replies,
          .dead_letters = counted.dead_letters,
          .refused_messages = counted.refused_messages,
          .mailbox_alarms = counted.alarms,
          .stuck_callbacks = counted.stuck_callbacks,
          .expired_requests = counted.expired_requests,
          .abandoned_fibers = counted.abandoned_fibers};
}

void system_monitor(bool on) {
  Process& self = current_process();
  self.runtime().system_monitor(self.pid(), on);
}

std::vector<std::string> nodes() {
  std::vector<std::string> names;
  const Distribution* distribution = current_process().runtime().distribution();
  if (distribution == nullptr) return names;
  for (const Peer& peer : distribution->peers()) {
    if (!peer.hidden) names.push_back(peer.name);
  }
  std::ranges::sort(names);
  return names;
}

void monitor_nodes(bool on) {
  Process& self = current_process();
  self.runtime().subscribe_nodes(self.pid(), on);
}

std::vector<Pid> list() { return current_process().runtime().list(); }

std::string AnyMessage::type_name() const {
  if (const auto* packed = message_->as<detail::Packed>()) return packed->type;
  const detail::MessageType& type = *message_->type;
  return type.name.empty() ? detail::demangled(*type.cpp) : std::string(type.name);
}

std::string AnyMessage::to_text() const {
  std::string text = message_->type->term(message_->payload());
  return text.empty() ? type_name() : text;
}

}  // namespace coterie
