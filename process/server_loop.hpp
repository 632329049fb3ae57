#pragma once
// The loop of a GenServer as a behaviour: registration, init, callbacks, idle timeout, terminate,
// and the exact order of reply and exit (gen_server.erl). One per server, run inside its process.

#include <expected>
#include <memory>
#include <string>

#include <coterie/gen_server.hpp>

#include "process/behaviour.hpp"

namespace coterie::detail {

/// What a starter waits for: sent once, when init is done or has failed.
struct StartAnswer {
  std::expected<Pid, StartError> result;
};

/// A request that every server answers without its user's code: terminate runs, the requester gets
/// its answer, the server exits with `reason`.
struct StopRequest {
  using Reply = Nothing;
  static constexpr std::string_view type_name = "coterie.sys.stop";
  ExitReason reason;
};

std::unique_ptr<Behaviour> make_server_loop(std::string type, MakeCallbacks make,
                                            StartOptions options, Ticket starter);

}  // namespace coterie::detail
