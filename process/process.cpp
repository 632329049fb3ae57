#include "process/process.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "process/context.hpp"
#include "process/exit_cause.hpp"
#include "process/report.hpp"
#include "process/runtime.hpp"
#include "process/switch.hpp"
#include "process/throw_trace.hpp"

namespace coterie::detail {
namespace {

constexpr unsigned slice_messages = 64;

bool counted(MessageKind kind) noexcept {
  return kind == MessageKind::send || kind == MessageKind::cast || kind == MessageKind::call;
}

CallError plain_process(const Pid& pid) {
  return {CallError::Code::refused, CallError::Execution::not_executed,
          ExitReason::term("{not_a_behaviour," + to_string(pid, pid.node) + "}"),
          "a plain process answers no sys requests: make it a GenServer, or what is built on one"};
}

}  // namespace

constinit thread_local Process* this_process = nullptr;

Process* set_running_process(Process* process) noexcept {
  return std::exchange(this_process, process);
}

void no_running_process() {
  std::fputs(
      "coterie: this function acts for a process, and the calling thread runs none.\n"
      "Call it inside a process, or attach the thread first: auto self = node.attach();\n",
      stderr);
  std::abort();
}

Process::Process(Runtime& runtime, std::uint32_t slot, bool for_thread) noexcept
    : for_thread_(for_thread), slot_(slot), runtime_(runtime) {}

Process::~Process() {
  delete parked_;
  for (Message* message = mailbox_.take(in_queue_); message != nullptr;) {
    free_message(std::exchange(message, message->next));
  }
}

Pid Process::pid() const noexcept {
  return {runtime_.node(), std::uint64_t{generation()} << 32 | (slot_ + 1)};
}

/// What a mailbox counts by its bytes. Small messages are counted by their number.
bool Process::refuses(const Message& message) noexcept {
  const std::size_t large =
      message.in_slot()
          ? large_bytes_.load(std::memory_order_relaxed)
          : large_bytes_.fetch_add(message.bytes(), std::memory_order_relaxed) + message.bytes();
  if (large + (queued() + 1) * Message::slot_bytes <= bytes_limit_.load(std::memory_order_relaxed))
    return false;
  if (!message.in_slot()) large_bytes_.fetch_sub(message.bytes(), std::memory_order_relaxed);
  return true;
}

/// Through the mailbox, behind what waits there.
PushResult Process::push_behind(MessagePtr& message, bool& crowded) noexcept {
  Mailbox::Pushed pushed{};
  if (!counted(message->kind)) {
    pushed = mailbox_.push(*message);
  } else {
    const bool large = !message->in_slot();  // once it is pushed it may be gone
    if (refuses(*message)) return PushResult::full;
    const std::uint32_t limit = messages_limit_.load(std::memory_order_relaxed);
    pushed = mailbox_.push(*message, limit, in_queue_);
    if (!pushed.accepted) {
      if (!message->in_slot()) {
        large_bytes_.fetch_sub(message->bytes(), std::memory_order_relaxed);
      }
      return PushResult::full;
    }
    const std::size_t waiting = pushed.counted;
    crowded = waiting > limit / 8 || (large && large_bytes_crowded());
    if (crowded && !alarmed_.load(std::memory_order_relaxed) &&
        !alarmed_.exchange(true, std::memory_order_relaxed)) {
      runtime_.note_crowd(*this, true, waiting);
    }
  }
  message.release();
  if (for_thread_) {
    if (pushed.was_resting) {
      bounce_late();
    } else {
      runtime_.executor().notify(this);
    }
  } else {
    wake_up(pushed.was_resting);
  }
  return PushResult::pushed;
}

/// A message that arrived after its attached thread left: whoever pushed it answers for the dead.
void Process::bounce_late() {
  do drain();
  while (!mailbox_.rest());
}

bool Process::large_bytes_crowded() const noexcept {
  return large_bytes_.load(std::memory_order_relaxed) >
         bytes_limit_.load(std::memory_order_relaxed) / 8;
}

// A sender cannot take out the oldest messages: only the owner can, when it looks. So senders may
// go to twice the bound, and the owner drops what is more than the bound.
void Process::set_limits(const MailboxLimits& limits) noexcept {
  const std::size_t times = limits.overflow == Overflow::drop_old ? 2 : 1;
  const std::size_t bytes = std::min(limits.bytes, SIZE_MAX / times) * times;
  // Small messages fill a slot each, so the bytes bound their number too.
  const std::size_t messages = std::min({limits.messages, std::size_t{Mailbox::counted_max} / times,
                                         limits.bytes / Message::slot_bytes}) *
                               times;
  messages_limit_.store(static_cast<std::uint32_t>(messages), std::memory_order_relaxed);
  bytes_limit_.store(bytes, std::memory_order_relaxed);
  overflow_.store(limits.overflow, std::memory_order_relaxed);
}

MailboxLimits Process::limits() const noexcept {
  const std::size_t times = overflow() == Overflow::drop_old ? 2 : 1;
  return {messages_limit_.load(std::memory_order_relaxed) / times,
          bytes_limit_.load(std::memory_order_relaxed) / times, overflow()};
}

void Process::take_mailbox() {
  for (Message* list = mailbox_.take(in_queue_); list != nullptr;) {
    MessagePtr message(std::exchange(list, list->next));
    message->next = nullptr;
    accept(std::move(message));
  }
  if (alarmed_.load(std::memory_order_relaxed)) relieve_mailbox();
}

/// Of a mailbox whose crowd was reported: it may have to drop messages, or be crowded no more.
void Process::relieve_mailbox() {
  if (overflow() == Overflow::drop_old) drop_oldest();
  if (queued() > messages_limit_.load(std::memory_order_relaxed) / 16 ||
      large_bytes_.load(std::memory_order_relaxed) >
          bytes_limit_.load(std::memory_order_relaxed) / 16) {
    return;
  }
  alarmed_.store(false, std::memory_order_relaxed);
  runtime_.note_crowd(*this, false, queued());
}

void Process::uncount(const Message& message) noexcept {
  if (!counted(message.kind)) return;
  // Only the owner writes it.
  ++taken_;
  in_queue_.store(in_queue_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (!message.in_slot()) large_bytes_.fetch_sub(message.bytes(), std::memory_order_relaxed);
}

void Process::accept(MessagePtr message) {
  if (!alive(message->generation)) {
    uncount(*message);
    bounce(std::move(message), ExitReason::noproc());
    return;
  }
  switch (message->kind) {
    case MessageKind::reply:
    case MessageKind::failed:
      if (awaited_ != nullptr && message->ref() == awaited_->ref && !awaited_->here()) {
        awaited_->message = std::move(message);
        woken_ = true;
      } else if (relations_ && relations_->requests.erase(message->ref())) {
        enqueue_own(response_of(std::move(message)));
      } else {
        runtime_.counters().late_replies.fetch_add(1, std::memory_order_relaxed);
      }
      return;
    case MessageKind::signal:
      if (auto* inside = message->as<RunInside>()) {
        inside->run(this);
      } else {
        accept_signal(*message, *message->as<SignalBody>());
      }
      return;
    case MessageKind::system:
      if (!behaviour_ || !behaviour_->answers_system()) {
        runtime_.fail({message->from, message->ref(), false, pid()}, plain_process(pid()));
        return;
      }
      [[fallthrough]];
    case MessageKind::call:
      if (message->extra() != nullptr && message->extra()->epoch &&
          message->extra()->epoch != epoch()) {
        uncount(*message);
        runtime_.fail({message->from, message->ref(), false, pid()},
                      CallError(CallError::Code::stale, CallError::Execution::not_executed));
        return;
      }
      break;
    case MessageKind::send:
      if (message->ref() != Ref::none && !accept_alias(message->ref())) {
        uncount(*message);
        runtime_.counters().late_replies.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      break;
    case MessageKind::cast:
      break;
  }
  queue_.push_back(std::move(message));
  if (wait_ == Wait::message) woken_ = true;
}

/// A message that its process will never take: whoever waits for an answer gets one.
void Process::bounce(MessagePtr message, const ExitReason& reason) {
  switch (message->kind) {
    case MessageKind::call:
    case MessageKind::system:
      runtime_.fail({message->from, message->ref(), false, Pid{runtime_.node(), 0}},
                    CallError(reason.kind() == ExitReason::Kind::noproc ? CallError::Code::noproc
                                                                        : CallError::Code::exited,
                              CallError::Execution::not_executed, reason));
      return;
    case MessageKind::signal: {
      if (auto* inside = message->as<RunInside>()) {
        inside->run(nullptr);
        return;
      }
      const Pid dead{runtime_.node(), std::uint64_t{message->generation} << 32 | (slot_ + 1)};
      auto& body = *message->as<SignalBody>();
      if (body.signal == Signal::link) {
        runtime_.signal(dead, message->from, Signal::exit, Ref::none, ExitReason::noproc(), true);
      } else if (body.signal == Signal::monitor) {
        runtime_.signal(dead, message->from, Signal::down, message->ref(), ExitReason::noproc());
      }
      return;
    }
    case MessageKind::send:
    case MessageKind::cast:
      runtime_.counters().dead_letters.fetch_add(1, std::memory_order_relaxed);
      return;
    case MessageKind::reply:
    case MessageKind::failed:
      runtime_.counters().late_replies.fetch_add(1, std::memory_order_relaxed);
      return;
  }
}

/// Runs what may throw; what escapes is the process's end.
template <class Callback>
void Process::guard(const Callback& callback) {
  try {
    callback();
  } catch (const ProcessExit&) {
    // exit_ holds the reason.
  } catch (const ThrownHere&) {
  } catch (...) {
    exit_later(exit_cause(std::current_exception()));
  }
}

void Process::run_slice() {
  if (behaviour_ == nullptr) {
    // A free slot: drain() has bounced what came too late.
    release();
    return;
  }
  sends_ = 0;
  if (!exit_ && !started_) {
    started_ = true;
    guard([this] { behaviour_->start(); });
  }
  bool gate_closed = false;
  for (unsigned n = 0; n < slice_messages && !exit_; ++n) {
    if (strict() && !runtime_.gate_open() && runtime_.hold(*this)) {
      gate_closed = true;
      break;
    }
    if (queue_.empty()) drain();
    if (exit_) break;
    MessagePtr message = queue_.pop_front();
    if (!message) break;
    uncount(*message);
    guard([this, &message] { behaviour_->handle(std::move(message)); });
  }
  if (exit_) {
    finish();
    release();
    runtime_.free_slot(*this);
    return;
  }
  if (!queue_.empty() && !gate_closed) {
    // From here on any worker may run it.
    home_.store(nullptr, std::memory_order_relaxed);
    worker_->push(*this, false);
  } else {
    release();
  }
}

// ---- the caller of the call being handled

Serving::~Serving() {
  process_.serving_ = nullptr;
  if (caller_ != nullptr) process_.note_caller(*caller_);
}

const std::string& Process::request_id() const noexcept {
  static const std::string none;
  const Extra* extra = serving_ != nullptr ? serving_->extra() : nullptr;
  return extra != nullptr ? extra->request_id : none;
}

bool Process::has_queued() {
  drain();
  return !queue_.empty();
}

bool Process::take_name(const std::string& name) {
  const Names* mine = names_if_any();
  if (finishing_ || name.empty() || (mine != nullptr && !mine->name.empty())) return false;
  if (!runtime_.register_name(name, pid())) return false;
  names().name = name;
  return true;
}

Pid Process::spawn_child(SpawnRequest request) {
  const Pid child = runtime_.spawn(std::move(request));
  if (!child && attached_ == nullptr) raise_exit(ExitReason::term("system_limit"));
  return child;
}

Names& Process::names() {
  std::unique_ptr<Names>& mine = relations().names;
  if (!mine) mine = std::make_unique<Names>();
  return *mine;
}

const Ancestors& Process::ancestors_of_children() {
  constexpr std::size_t most = 16;
  Ancestors& shared = relations().of_children;
  if (!shared) {
    std::vector<Pid> pids{pid()};
    if (ancestors_) {
      pids.insert(
          pids.end(), ancestors_->begin(),
          ancestors_->begin() + std::min<std::ptrdiff_t>(std::ssize(*ancestors_), most - 1));
    }
    shared = Ancestors(std::move(pids));
  }
  return shared;
}

Relations& Process::relations() {
  if (!relations_) relations_ = std::make_unique<Relations>();
  return *relations_;
}

}  // namespace coterie::detail
