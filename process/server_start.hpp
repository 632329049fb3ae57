#pragma once
// How a server starts: its name, its init, and what its starter hears. Part of the server's loop
// until init is done; then it is freed, so that an idle server does not carry it.

#include <expected>
#include <optional>
#include <utility>

#include <coterie/gen_server.hpp>

#include "process/behaviour.hpp"
#include "process/ports/name_service.hpp"

namespace coterie::detail {

class Process;

/// What a starter waits for: sent once, when init is done or, if it has failed, when the process is
/// gone.
struct StartAnswer {
  std::expected<Pid, StartError> result;
};

class ServerStart {
 public:
  ServerStart(const ServerKind& what, MakeCallbacks how, StartOptions with, Ticket starter)
      : kind(what), options(std::move(with)), make(std::move(how)), starter_(starter) {}

  /// Registers the name before init runs; invisible to others if it is a via name.
  std::optional<StartError> take_name(Process& self);
  std::optional<StartError> confirm_name(Process& self);
  /// Wakes the starter.
  void succeed(Process& self);
  /// What the starter hears at the end of the process, when name, state and all else are gone, so
  /// that it may start again at once.
  void fail(StartError error) { error_ = std::move(error); }
  Behaviour::LastWord ended(Process& self, const ExitReason& reason);

  const ServerKind kind;
  const StartOptions options;
  MakeCallbacks make;

 private:
  Duration name_timeout() const;

  const Ticket starter_;
  std::optional<StartError> error_;
  bool answered_ = false;
};

}  // namespace coterie::detail
