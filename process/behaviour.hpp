#pragma once
// What a process runs: a plain function, or the loop of a GenServer. The runtime calls it inside
// the process, one call at a time; an exception that escapes becomes the process's exit reason.

#include <span>
#include <string_view>

#include <coterie/process.hpp>

namespace coterie {
struct CrashReport;
}

namespace coterie::detail {

class Process;

class Behaviour {
 public:
  Behaviour() = default;
  Behaviour(const Behaviour&) = delete;
  Behaviour& operator=(const Behaviour&) = delete;
  virtual ~Behaviour() = default;

  /// The first thing that runs. A plain function runs here from beginning to end.
  virtual void start() = 0;
  /// A message of the user's, in mailbox order.
  virtual void handle(MessagePtr message) = 0;
  /// An answer to somebody who waits; without a message, none.
  struct LastWord {
    Ticket to;
    MessagePtr message;
  };
  /// The process ends; called once, before its names go, the destructor follows (not if the stack
  /// had to be abandoned). What it returns is sent when nothing of the process is left.
  virtual LastWord ended(Process&, const ExitReason&) { return {}; }
  virtual std::string_view initial_call() const noexcept = 0;
  virtual bool hibernating() const noexcept { return false; }
  /// hibernate() may leave its stack.
  virtual bool may_hibernate() const noexcept { return false; }
  /// Elixir's $callers: who asked for what runs here, nearest first. Tasks have them.
  virtual std::span<const Pid> callers() const noexcept { return {}; }
  virtual bool suspended() const noexcept { return false; }
  /// It takes MessageKind::system in handle(); for others the process answers that it is plain.
  virtual bool answers_system() const noexcept { return false; }
  /// Adds what only the behaviour knows: last message, its client, the state.
  virtual void describe(CrashReport&) const {}
};

}  // namespace coterie::detail
