#pragma once
// What travels between two nodes: one signal of Erlang's distribution with everything that a
// truthful outcome needs (semantics.md 2.6). transport/ encodes it; process/ makes and consumes it.

#include <cstdint>
#include <string>
#include <variant>

#include <coterie/bytes.hpp>
#include <coterie/call_error.hpp>
#include <coterie/exit_reason.hpp>
#include <coterie/pid.hpp>
#include <coterie/server_ref.hpp>
#include <coterie/time.hpp>

namespace coterie {

enum class Signal : std::uint8_t {
  send = 1,         // a plain message: type, payload
  cast = 2,         // type, payload
  call = 3,         // type, payload, ref, budget, request_id
  reply = 4,        // answer to ref: payload
  call_failed = 5,  // answer to ref: code, execution, reason
  cancel = 6,       // the caller of ref is gone or its deadline has passed; link = it waits to hear
  link = 7,
  unlink = 8,  // ref identifies the request; answered by unlink_ack
  unlink_ack = 9,
  exit = 10,       // reason; link = the signal comes through a link
  monitor = 11,    // ref; to a pid or a name
  demonitor = 12,  // ref
  down = 13,       // ref, reason
  fence = 100,     // inside a node only: a strict process ends, whatever it traps
};

/// A name on the receiving node. A client's call may name a via name, which the node resolves.
using Target = std::variant<Pid, LocalName, ViaName>;

struct Envelope {
  Signal signal = Signal::send;
  bool named = false;  // call: answer with field names (maps), for clients without our types
  bool link = false;   // exit: through a link; cancel: an answer is wanted
  Pid from;            // the sender; its node is that of the session, checked on receipt
  Target to;
  Ref ref = Ref::none;         // call reference = alias = monitor reference, unique per incarnation
  Epoch epoch;                 // call, cast, send to a strict name: the epoch the sender resolved
  Duration budget = infinity;  // what is left of the deadline; never a wall time
  std::uint64_t session = 0;   // only on that one (Peer::session), if not 0; does not travel
  Time arrived{};              // here, if known: when `budget` was left; does not travel
  std::string request_id;      // stable across retries; empty = none
  std::string type;            // the message's type_name (the reply's, with reply)
  std::string trace;           // opaque trace context
  Bytes payload;               // MessagePack
  ExitReason reason;           // exit, down, call_failed
  CallError::Code code = CallError::Code::timeout;  // call_failed
  CallError::Execution execution = CallError::Execution::unknown;
  std::string detail;  // call_failed: for people
};

}  // namespace coterie
