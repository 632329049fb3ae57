#pragma once
// The frames between nodes and between a node and its clients. docs/wire.md is the specification:
// every frame is one MessagePack array whose first element is its kind; fields are appended only,
// and unknown ones are ignored. Decoding is bounded by the bytes that are present and never
// throws. All types are values.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/pid.hpp>

namespace coterie::wire {

/// Protocol versions that this program speaks.
inline constexpr std::uint32_t protocol_min = 1;
inline constexpr std::uint32_t protocol_max = 1;

enum class Kind : std::uint8_t {
  hello = 1,
  refuse = 2,
  data = 3,
  ack = 4,
  beat = 5,
  bye = 6,
  note = 7,
  client_hello = 16,
  client_welcome = 17,
  client_envelope = 18,
  death_notice = 19,
  notice_taken = 20,
};

enum class Lane : std::uint8_t { data = 0, control = 1 };

/// Where the sender of a frame stands: which session it is in and what it has received. A session
/// of two incarnations is named by the attempt numbers of both; each side raises its own whenever
/// it loses a session, so no pair of numbers is used twice.
struct Position {
  std::uint64_t from_attempt = 0;  // the sender's attempt
  std::uint64_t to_attempt = 0;    // the receiver's, as far as the sender knows; 0: unknown
  std::uint64_t received = 0;      // all records up to this sequence number have arrived
  std::uint64_t resumed = 0;       // newest connection of the receiver that the sender has accepted
  friend bool operator==(const Position&, const Position&) = default;
};

struct Hello {
  std::uint32_t version_min = protocol_min;
  std::uint32_t version_max = protocol_max;
  std::string cluster_id;
  std::string config_digest;  // of the keys that must be the same everywhere
  std::uint64_t history = 0;  // raised by a forced recovery; other histories are refused
  std::string name;
  Incarnation incarnation;
  NodeId to = NodeId::none;      // the incarnation that the sender takes the receiver for
  std::uint64_t connection = 0;  // the sender's n-th connection of this lane to that name
  Lane lane = Lane::data;
  Position position;
  std::uint16_t control_port = 0;  // where the sender's control lane listens, on the same host
  std::string guardian_key;        // proves death notices (notice.hpp); empty: no guardian
  friend bool operator==(const Hello&, const Hello&) = default;
};

/// Why a peer or a client is not let in. Sent, then everything of that connection is ignored.
struct Refuse {
  enum class Code : std::uint8_t {
    malformed = 1,
    protocol = 2,         // no common version
    cluster = 3,          // another cluster id
    config = 4,           // another digest of the shared keys
    history = 5,          // another history
    unknown_node = 6,     // no such name in the cluster file
    name_taken = 7,       // the name of the node itself
    old_incarnation = 8,  // a newer one was seen, or this one is proven dead
    full = 9,             // a bound of connections is reached
    key = 10,             // its key does not allow that
  };
  Code code = Code::malformed;
  std::string text;          // for people: what was expected, what was found
  NodeId to = NodeId::none;  // the incarnation that is refused; none: whoever reads it
  /// Of old_incarnation: incarnations up to this counter are proven dead. 0: only a newer one was
  /// seen.
  std::uint64_t dead_counter = 0;
  friend bool operator==(const Refuse&, const Refuse&) = default;
};

/// Records `first`, `first + 1`, ... of the sender's stream.
struct Data {
  Position position;
  std::uint64_t first = 0;
  std::vector<BytesView> records;  // views into the frame
};

struct Ack {
  Position position;
  bool again = false;  // there is a gap: send from position.received + 1 again
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Beat {
  Position position;
  std::uint64_t view = 0;  // newest view that the sender has installed: a hint
  friend bool operator==(const Beat&, const Beat&) = default;
};

/// The sender ends the session after `last`, its last record.
struct Bye {
  Position position;
  std::uint64_t last = 0;
  friend bool operator==(const Bye&, const Bye&) = default;
};

/// What the agreement of one node says to that of another, on the control lane. The bytes are the
/// engine's own.
struct Note {
  BytesView body;  // a view into the frame
};

struct ClientHello {
  std::uint32_t version_min = protocol_min;
  std::uint32_t version_max = protocol_max;
  std::string cluster_id;
  std::string label;  // who it is, for logs and status
  friend bool operator==(const ClientHello&, const ClientHello&) = default;
};
struct ClientWelcome {
  std::uint32_t version = protocol_max;
  std::string node;
  Incarnation incarnation;
  friend bool operator==(const ClientWelcome&, const ClientWelcome&) = default;
};
/// One envelope from or to a client.
struct ClientEnvelope {
  BytesView envelope;  // a view into the frame
};

/// A guardian tells that its node has exited; see notice.hpp.
struct DeathNotice {
  std::string cluster_id;
  std::string name;
  Incarnation incarnation;
  std::string token;         // proves that the guardian of that incarnation speaks
  std::uint32_t signal = 0;  // that ended it; 0: it exited by itself
  std::uint32_t exit_code = 0;
  std::vector<std::string> running;  // names that ran at the end, as far as known
  friend bool operator==(const DeathNotice&, const DeathNotice&) = default;
};
struct NoticeTaken {
  bool accepted = false;
  std::string text;  // why not
  friend bool operator==(const NoticeTaken&, const NoticeTaken&) = default;
};

using Frame = std::variant<Hello, Refuse, Data, Ack, Beat, Bye, Note, ClientHello, ClientWelcome,
                           ClientEnvelope, DeathNotice, NoticeTaken>;

Bytes encode(const Hello&);
Bytes encode(const Refuse&);
Bytes encode(const Data&);
Bytes encode(const Ack&);
Bytes encode(const Beat&);
Bytes encode(const Bye&);
Bytes encode(const Note&);
Bytes encode(const ClientHello&);
Bytes encode(const ClientWelcome&);
Bytes encode(const ClientEnvelope&);
Bytes encode(const DeathNotice&);
Bytes encode(const NoticeTaken&);

/// A Data frame up to where its `count` records of about `bytes` bytes follow, each a binary.
Bytes begin_data(const Position& position, std::uint64_t first, std::size_t count,
                 std::size_t bytes);
void append_binary_head(Bytes& bytes, std::size_t size);

/// The frame, which keeps views into `bytes`, or what is wrong with it.
std::expected<Frame, std::string> decode(BytesView bytes);

/// Of what may be a frame, without decoding it.
std::optional<Kind> kind_of(BytesView bytes);

std::string_view to_string(Refuse::Code code) noexcept;

}  // namespace coterie::wire
