#pragma once
// Where clients come in, as the node's composition uses it: the command line, other languages,
// guardians. ZeroMQ's is ClientListener; a simulated network has one of its own.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "process/envelope.hpp"
#include "transport/admission.hpp"
#include "transport/notice.hpp"

namespace coterie {

/// One connection of a client; never used again.
enum class ClientId : std::uint64_t { none = 0 };

/// Called on the listener's thread. Must not block.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  /// A call, cast or cancel to a pid, a local name or a via name. `from` is none; a call is
  /// answered once, with reply() and its ref.
  virtual void client_call(ClientId client, Envelope&& envelope) = 0;
  /// It said bye, was silent, or did not read: its calls need no answer any more.
  virtual void client_gone(ClientId client) = 0;
};

struct ClientListenerOptions {
  std::string cluster_id;
  std::string node;
  Incarnation incarnation;
  std::string listen;                    // host:port; port 0: any
  std::shared_ptr<Admission> admission;  // null: nothing is encrypted, everybody is trusted
  std::size_t clients_max = 1024;
  std::size_t clients_per_key = 256;               // so that no holder takes all
  std::size_t queue_messages = 16'384;             // replies that wait for one client
  std::size_t queue_bytes = std::size_t{8} << 20;  // likewise; one reply may be above it
  std::size_t reply_bytes_max = std::size_t{64} << 20;
  Duration silent_after = std::chrono::seconds(15);  // a client beats every 2 s
};

/// Decides about a guardian's notice: look up the key of that incarnation, judge_notice(), and when
/// it is accepted tell the agreement and the distribution. Called on the door's own thread.
using OnNotice = std::function<NoticeTaken(const DeathNotice&)>;

class ClientDoor {
 public:
  ClientDoor() = default;
  ClientDoor(const ClientDoor&) = delete;
  ClientDoor& operator=(const ClientDoor&) = delete;
  /// No event follows.
  virtual ~ClientDoor() = default;

  /// Lets clients in, once. Events come from now on, so they may use this object.
  virtual void serve() = 0;
  /// Any thread, never blocks. `envelope` is a reply or call_failed. False: the client is gone.
  virtual bool reply(ClientId client, Envelope&& envelope) = 0;
  virtual const std::string& address() const noexcept = 0;
};

}  // namespace coterie
