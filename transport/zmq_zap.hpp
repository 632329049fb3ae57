#pragma once
// The answer to ZeroMQ's question whether a connection may come in (ZAP, rfc.zeromq.org/spec/27):
// yes if its public key is in the allow-list with a role that the listener's domain takes. One
// handler per context, with a thread of its own, up before any listener of that context binds and
// closed after the last of them: without a living handler libzmq would let unknown keys in if the
// listeners did not also enforce their domain. Owned by what owns the context.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <coterie/log.hpp>

#include "transport/admission.hpp"
#include "transport/resolve.hpp"
#include "transport/zmq_connection.hpp"

namespace coterie {

/// Which listener asks.
enum class ZapDomain : std::uint8_t { members, clients };

class ZmqZap {
 public:
  /// `admission` may be null: then nothing is encrypted, and nobody is asked.
  ZmqZap(zmq::context_t& context, std::shared_ptr<Admission> admission, const Clock& clock,
         Log* log);
  ~ZmqZap();
  ZmqZap(const ZmqZap&) = delete;
  ZmqZap& operator=(const ZmqZap&) = delete;

  /// Makes a listener of this context encrypted, before it binds, if there are keys; in any case it
  /// takes no peer that speaks less than ZMTP 3. Throws zmq::error_t when this libzmq cannot or
  /// does not enforce what is asked.
  void secure(zmq::socket_t& listener, ZapDomain domain);
  /// After its self-test: handshakes of it that fail before a key is shown are told, too. The
  /// listener is to be closed before this handler.
  void watch(zmq::socket_t& listener);

 private:
  void run(zmq::socket_t replies);
  void answer(zmq::socket_t& replies);
  void tell(std::string text);

  zmq::context_t& context_;
  const std::shared_ptr<Admission> admission_;
  const Clock& clock_;
  Log* const log_;
  ZmqWake wake_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ZmqMonitor>> fresh_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Dials `address` (host a number) with a random key and with none. The empty text: both were
/// refused; else why this listener must not be used. Blocks for milliseconds, at most 10 s.
std::string prove_strangers_refused(const HostPort& address, const std::string& server_key,
                                    const Clock& clock);

}  // namespace coterie
