// How a process waits, gives way, and ends while it waits.

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "process/exit_cause.hpp"
#include "process/process.hpp"
#include "process/switch.hpp"

namespace coterie::detail {
namespace {

// A sender's turn never exceeds a receiver's slice, or its queue grows without end.
constexpr unsigned sends_per_turn = 64;

}  // namespace

void Process::on_wait_timer(Timer& timer) {
  Process& waiting = static_cast<WaitTimer&>(timer).process;
  waiting.timed_out_ = true;
  if (waiting.mailbox_.claim()) waiting.runtime_.schedule(waiting);
}

Wake Process::wait_attached(Duration timeout) {
  attached_->wait(*this, timeout);
  return exit_ ? Wake::exiting : woken_ ? Wake::woken : Wake::timeout;
}

void Process::yield() {
  if (attached_ != nullptr || worker_ == nullptr || finishing_) return;
  if (!worker_->alone() && worker_->admit_parked()) {
    woken_ = true;
    worker_->park(*this, true);
    worker_->discharge_parked();
  } else {
    drain();
  }
  // A loop that only sends or yields must be killable.
  if (exit_) on_exit();
}

void Process::after_send(bool crowded) {
  if (++sends_ < sends_per_turn && !crowded) return;
  sends_ = 0;
  yield();
}

MessagePtr Process::wait_answer(Ref ref, Duration timeout, bool& refused) {
  return await_answer(ref, timeout, refused, nullptr);
}

Process* Process::in_place_caller(const Caller& to, const MessageType* type) noexcept {
  // Another node's caller, a strict process that must pass the gate, a reply by another process
  // than the server: they go the long way.
  if (worker_ == nullptr || strict() || to.server != pid()) return nullptr;
  Process* caller = runtime_.find(to.pid);
  // Parked here, so only this worker may run it, and it runs this process now: the caller is this
  // thread's to touch.
  if (caller == nullptr || caller->home_.load(std::memory_order_relaxed) != worker_ ||
      caller->parked_ == nullptr) {
    return nullptr;
  }
  const AwaitedAnswer* awaited = caller->awaited_;
  if (awaited == nullptr || awaited->ref != to.ref || awaited->in_place == nullptr ||
      awaited->in_place->type != type || awaited->here()) {
    return nullptr;
  }
  forget_caller(to.pid, to.ref);
  return caller;
}

void Process::reply_placed() noexcept {
  awaited_->in_place->filled = true;
  woken_ = true;
  // It is parked on this worker, which runs its server now.
  Worker& here = *running_worker();
  if (here.take_dozing(*this) || mailbox_.claim()) here.push_woken(*this, true);
}

MessagePtr Process::receive(Match match, Duration timeout) {
  const Time end = timeout == infinity ? Time::max() : after(runtime_.clock().now(), timeout);
  Message* previous = nullptr;  // the last one looked at
  std::uint32_t removals = queue_.removals();
  for (;;) {
    looking_ = true;
    drain();
    looking_ = false;
    if (exit_) suspend(Duration::zero());
    // A caller that gave up meanwhile has withdrawn its request, perhaps `previous`.
    if (std::exchange(removals, queue_.removals()) != queue_.removals()) previous = nullptr;
    for (Message* next = previous == nullptr ? queue_.front() : previous->next; next != nullptr;
         previous = next, next = next->next) {
      if (!match(*next)) continue;
      MessagePtr message = queue_.remove_after(previous);
      uncount(*message);
      return message;
    }
    Duration left = infinity;
    if (timeout != infinity) {
      left = end - runtime_.clock().now();
      if (left <= Duration::zero()) return nullptr;
    }
    wait_ = Wait::message;
    woken_ = false;
    const Wake wake = suspend(left);
    wait_ = Wait::none;
    if (wake == Wake::refused) raise_exit(ExitReason::term("system_limit"));
    if (wake == Wake::exiting) return nullptr;
  }
}

bool Process::pass_gate() {
  if (!strict()) return true;
  while (!runtime_.gate_open()) {
    // While it ends it cannot wait: its destructors have no effect past the lease.
    if (finishing_) return false;
    const Ref ref = runtime_.make_ref();
    if (!runtime_.hold(Ticket{pid(), ref})) return true;
    bool refused = false;
    if (!wait_answer(ref, infinity, refused) && exit_) return false;
    if (refused) raise_exit(ExitReason::term("system_limit"));
  }
  return true;
}

bool Process::cannot_park() const noexcept {
  return attached_ != nullptr || finishing_ || (exit_ && std::uncaught_exceptions() > 0);
}

bool Process::may_park() const noexcept {
  return worker_ != nullptr && !finishing_ && worker_->may_park();
}

void Process::rest(Duration duration) {
  const Time end = duration == infinity ? Time::max() : after(runtime_.clock().now(), duration);
  wait_ = Wait::time;
  for (;;) {
    woken_ = false;
    drain();
    const Duration left =
        duration == infinity ? infinity : std::max(end - runtime_.clock().now(), Duration::zero());
    if (left == Duration::zero()) {
      obey_exit();
      break;
    }
    const Wake wake = suspend(left);
    if (wake == Wake::refused) raise_exit(ExitReason::term("system_limit"));
    if (wake == Wake::exiting) break;
  }
  wait_ = Wait::none;
}

Wake Process::on_exit() {
  if (attached_ != nullptr || finishing_) return Wake::exiting;
  // A destructor that runs while another exception unwinds: throwing would end the node.
  if (std::uncaught_exceptions() > 0) return Wake::exiting;
  if (!thrown_) {
    thrown_ = true;
    throw ProcessExit{};
  }
  if (handling_process_exit()) return Wake::exiting;
  // Somebody caught the exit and went on: this stack cannot be ended, only left.
  abandon();
}

void Process::raise_exit(ExitReason reason) {
  if (attached_ != nullptr) {
    throw std::logic_error("exit() on an attached thread: return from the thread instead");
  }
  exit_later(std::move(reason));
  thrown_ = true;
  throw ProcessExit{};
}

void Process::give_up() {
  if (attached_ != nullptr) throw std::logic_error("this attached thread was ended by a kill");
  abandon();
}

void Process::abandon() {
  abandoned_ = true;
  runtime_.counters().abandoned_fibers.fetch_add(1, std::memory_order_relaxed);
  runtime_.log().error(LogModule::process,
                       "a process could not be ended: a noexcept function or catch (...) stopped "
                       "its exit; its stack is leaked",
                       {{"pid", pid()}, {"reason", *exit_}});
  worker_->abandon(*this);
}

bool Process::abandon_if_ending() noexcept {
  if (!exit_ || !thrown_ || finishing_ || attached_ != nullptr || worker_ == nullptr) return false;
  abandon();
}

}  // namespace coterie::detail
