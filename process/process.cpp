#include "process/process.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "process/context.hpp"
#include "process/exit_cause.hpp"
#include "process/report.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

constexpr unsigned slice_messages = 64;

constinit thread_local Process* this_process = nullptr;

bool counted(MessageKind kind) noexcept {
  return kind == MessageKind::send || kind == MessageKind::cast || kind == MessageKind::call;
}

}  // namespace

Process* running_process() noexcept { return this_process; }

Process* set_running_process(Process* process) noexcept {
  return std::exchange(this_process, process);
}

Process& current_process() {
  if (this_process == nullptr) {
    std::fputs(
        "coterie: this function acts for a process, and the calling thread runs none.\n"
        "Call it inside a process, or attach the thread first: auto self = node.attach();\n",
        stderr);
    std::abort();
  }
  return *this_process;
}

Process::WaitTimer::WaitTimer(Process& owner) noexcept
    : Timer([](Timer& timer) {
        Process& waiting = static_cast<WaitTimer&>(timer).process;
        waiting.timed_out_ = true;
        if (!waiting.scheduled_.exchange(true)) waiting.runtime_.schedule(waiting);
      }),
      process(owner) {}

Process::Process(Runtime& runtime, std::uint32_t slot, bool for_thread) noexcept
    : runtime_(runtime), slot_(slot), for_thread_(for_thread), timer_(*this) {}

Process::~Process() {
  delete parked_;
  for (Message* message = mailbox_.exchange(nullptr); message != nullptr;) {
    free_message(std::exchange(message, message->next));
  }
}

Pid Process::pid() const noexcept {
  return {runtime_.node(),
          std::uint64_t{generation_.load(std::memory_order_relaxed)} << 32 | (slot_ + 1)};
}

PushResult Process::push(MessagePtr&& message) noexcept {
  if (!alive(message->generation)) return PushResult::no_process;
  if (counted(message->kind)) {
    const std::size_t messages = queued_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::size_t bytes =
        queued_bytes_.fetch_add(message->size, std::memory_order_relaxed) + message->size;
    const std::size_t most = messages_limit_.load(std::memory_order_relaxed);
    if (messages > most || bytes > bytes_limit_.load(std::memory_order_relaxed)) {
      queued_.fetch_sub(1, std::memory_order_relaxed);
      queued_bytes_.fetch_sub(message->size, std::memory_order_relaxed);
      return PushResult::full;
    }
    if (messages == most / 8 + 1) runtime_.note_crowded(*this, messages);
  }
  Message* raw = message.release();
  raw->next = mailbox_.load(std::memory_order_relaxed);
  // Release: the drain that takes the stack (acquire) sees the message's contents.
  while (!mailbox_.compare_exchange_weak(raw->next, raw, std::memory_order_seq_cst,
                                         std::memory_order_relaxed)) {
  }
  if (for_thread_) {
    runtime_.executor().notify(this);
    bounce_late();
  } else if (!scheduled_.exchange(true)) {
    runtime_.schedule(*this);
  }
  return PushResult::pushed;
}

/// A message that arrived while its attached thread left: whoever pushed it answers for the dead.
void Process::bounce_late() {
  // Sequentially consistent, as the push of the mailbox and the end of alive_ are: either the
  // thread that leaves sees the message here, or its sender sees that the thread has left.
  while (!alive_.load() && mailbox_.load() != nullptr && !scheduled_.exchange(true)) {
    drain();
    scheduled_.store(false);
  }
}

void Process::set_limits(const MailboxLimits& limits) noexcept {
  messages_limit_.store(limits.messages, std::memory_order_relaxed);
  bytes_limit_.store(limits.bytes, std::memory_order_relaxed);
  overflow_.store(limits.overflow, std::memory_order_relaxed);
}

void Process::release() {
  // Whoever sees scheduled_ false takes the process over: nothing of it is touched after the store.
  Worker* pinned_to = parked_ != nullptr ? worker_ : nullptr;
  home_.store(pinned_to, std::memory_order_relaxed);
  scheduled_.store(false);
  if (mailbox_.load() != nullptr && !scheduled_.exchange(true)) runtime_.schedule(*this);
}

void Process::drain() {
  Message* stack = mailbox_.exchange(nullptr, std::memory_order_acquire);
  Message* list = nullptr;
  while (stack != nullptr) {
    Message* message = std::exchange(stack, stack->next);
    message->next = list;
    list = message;
  }
  while (list != nullptr) {
    MessagePtr message(std::exchange(list, list->next));
    message->next = nullptr;
    accept(std::move(message));
  }
}

void Process::uncount(const Message& message) noexcept {
  if (!counted(message.kind)) return;
  queued_.fetch_sub(1, std::memory_order_relaxed);
  queued_bytes_.fetch_sub(message.size, std::memory_order_relaxed);
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
      if (message->ref == waiting_for_ && waiting_for_ != Ref::none && !answer_) {
        answer_ = std::move(message);
        woken_ = true;
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
    case MessageKind::call:
      if (message->extra && message->extra->epoch && message->extra->epoch != epoch_) {
        uncount(*message);
        runtime_.fail({message->from, message->ref, false, pid()},
                      CallError(CallError::Code::stale, CallError::Execution::not_executed));
        return;
      }
      break;
    case MessageKind::send:
      if (message->ref != Ref::none && !accept_alias(message->ref)) {
        uncount(*message);
        runtime_.counters().late_replies.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      break;
    case MessageKind::cast:
    case MessageKind::system:
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
      runtime_.fail({message->from, message->ref, false, Pid{runtime_.node(), 0}},
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
        runtime_.signal(dead, message->from, Signal::down, message->ref, ExitReason::noproc());
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
    worker_->push(*this, false);
  } else {
    release();
  }
}

void Process::guard(const std::function<void()>& callback) {
  try {
    callback();
  } catch (const ProcessExit&) {
    // exit_ holds the reason.
  } catch (...) {
    exit_later(exit_cause(std::current_exception()));
  }
}

bool Process::has_queued() {
  drain();
  return !queue_.empty();
}

bool Process::take_name(const std::string& name) {
  if (finishing_ || name.empty() || (relations_ && !relations_->name.empty())) return false;
  if (!runtime_.register_name(name, pid())) return false;
  relations().name = name;
  return true;
}

Pid Process::spawn_child(SpawnRequest request) {
  const Pid child = runtime_.spawn(std::move(request));
  if (!child && attached_ == nullptr) raise_exit(ExitReason::term("system_limit"));
  return child;
}

Relations& Process::relations() {
  if (!relations_) relations_ = std::make_unique<Relations>();
  return *relations_;
}

}  // namespace coterie::detail
