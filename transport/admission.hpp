#pragma once
// Who may come in, and as whom: the list of public keys with the role and the name of each holder,
// this side's own key pair, and what was refused. Keys are Curve25519 (CURVE of ZeroMQ,
// rfc.zeromq.org/spec/26), written as 40 characters of Z85. The list may be replaced while nodes
// run, which is how keys are rotated: a holder may have several. Admission is thread-safe and
// shared by a node's listeners; the rest are values.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/time.hpp>

namespace coterie {

struct CurveKeys {
  std::string public_key, secret_key;  // 40 characters each, or both empty
  explicit operator bool() const noexcept { return !secret_key.empty(); }
};

/// Whether this libzmq can encrypt; Debian's can.
bool curve_available() noexcept;
/// From the system's source of secrets. Throws zmq::error_t where curve_available() is false. No
/// public key begins with a hyphen, which most programs' command lines would take for an option.
CurveKeys make_curve_keys();
/// The public key of a secret one; empty: that is no key.
std::string curve_public_key(std::string_view secret_key);

/// What a client shows and expects where nodes have keys; empty: nothing is encrypted.
struct ClientKeys {
  CurveKeys own;
  std::map<std::string, std::vector<std::string>> servers;  // public keys by address
};

/// What a key opens. `member`: the lanes between nodes, as the node of that name, and on the client
/// listener what an operator may and the death notices of its own node. `operator_`: all requests
/// of clients. `client`: those that are not the runtime's own (types that begin with "coterie.").
enum class KeyRole : std::uint8_t { member, client, operator_ };
std::string_view to_string(KeyRole role) noexcept;

struct KeyHolder {
  KeyRole role = KeyRole::client;
  std::string name;
  friend bool operator==(const KeyHolder&, const KeyHolder&) = default;
};
using AllowList = std::map<std::string, KeyHolder, std::less<>>;  // by public key

class Admission {
 public:
  Admission(CurveKeys own, AllowList list) : own_(std::move(own)), list_(std::move(list)) {}

  const CurveKeys& own() const noexcept { return own_; }
  std::optional<KeyHolder> holder(std::string_view public_key) const;
  /// Whether that key is the member's of that name.
  bool is_member(std::string_view public_key, std::string_view node) const;
  /// Connections of keys that are no longer in the list are not read any more.
  void replace(AllowList list);
  /// Grows with each replace().
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  struct Refusals {
    std::uint64_t count = 0;
    std::string last;  // for people
  };
  /// Counts; the returned line is to be logged now: one a second at most, the others are summed up.
  std::optional<std::string> refused(Time now, std::string text);
  Refusals refusals() const;

 private:
  const CurveKeys own_;
  mutable std::mutex mutex_;
  AllowList list_;
  Refusals refusals_;
  Time logged_at_ = Time::min();
  std::uint64_t unlogged_ = 0;
  // Released after the list was replaced, acquired by who keeps what it once allowed.
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace coterie
