#pragma once
// The port to what remembers: small records changed by compare-and-set, and append-only streams
// fenced by epoch. Calls block their thread; run them on a pool. Implementations (memory, SQLite,
// PostgreSQL, the simulator's disk) are thread-safe and pass one test suite.

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/pid.hpp>

namespace coterie {

struct StorageError {
  enum class Code : std::uint8_t {
    unavailable,  // down, locked, timed out, full, read-only, or a queue is full: nothing was
                  // changed, unless `maybe_applied` says otherwise
    corrupt,      // what is stored cannot be trusted; never guessed at
    fenced,       // the stream is owned by a greater epoch
    conflict,     // the stream's sequence is not the expected one
    misuse,       // wrong configuration or arguments
  };
  Code code = Code::unavailable;
  std::string message{};  // what was tried, what happened, what to do
  /// The answer to a commit was lost: it may have taken effect or may still do so. False: nothing
  /// of what was asked is or will be stored.
  bool maybe_applied = false;
};

template <class T>
using StorageResult = std::expected<T, StorageError>;

/// `version` is drawn from one counter per Records store that grows with every committed write,
/// also across deletions: a record deleted and made again has a greater version.
struct Record {
  std::string key{};
  std::uint64_t version = 0;
  Bytes value{};
  friend bool operator==(const Record&, const Record&) = default;
};

/// One atomic change: all conditions hold, then all writes happen; else nothing does.
struct Transaction {
  struct Condition {
    std::string key{};
    std::optional<std::uint64_t> version{};  // nullopt: present, whatever its version; 0: absent
  };
  struct Write {
    std::string key{};
    std::optional<Bytes> value{};  // nullopt: delete
  };
  std::vector<Condition> conditions{};
  std::vector<Write> writes{};
  /// False: may be lost by a power cut that stops every node which could have seen it (renewals of
  /// leases). A commit is durable if one transaction of its batch is; a store may always be.
  bool durable = true;
};

struct TransactionResult {
  bool committed = false;
  /// Committed: the new version of each write that is not a deletion (0 for deletions), in order.
  std::vector<std::uint64_t> versions{};
  /// Refused: the records named by the conditions as they are now (absent ones left out).
  std::vector<Record> found{};
};

class Records {
 public:
  virtual ~Records() = default;
  virtual StorageResult<std::optional<Record>> read(std::string_view key) = 0;
  /// The records of `keys`, in their order. Each is as it is at some moment during the call.
  virtual StorageResult<std::vector<std::optional<Record>>> read_many(
      std::span<const std::string> keys) {
    std::vector<std::optional<Record>> records;
    records.reserve(keys.size());
    for (const std::string& key : keys) {
      StorageResult<std::optional<Record>> record = read(key);
      if (!record) return std::unexpected(std::move(record.error()));
      records.push_back(std::move(*record));
    }
    return records;
  }
  /// All records whose key starts with `prefix`, in key order.
  virtual StorageResult<std::vector<Record>> scan(std::string_view prefix) = 0;
  /// At most `limit` of them, from the first whose key is greater than `after`; empty: from the
  /// first. Fewer than `limit`: there are no more.
  virtual StorageResult<std::vector<Record>> scan_page(std::string_view prefix,
                                                       std::string_view after, std::size_t limit) {
    auto records = scan(prefix);
    if (!records) return records;
    std::erase_if(*records, [after](const Record& record) { return record.key <= after; });
    if (records->size() > limit) records->resize(limit);
    return records;
  }
  /// Independent transactions, tried in order inside one durable commit. Each succeeds or is
  /// refused by itself. When this returns a value, what it says is durable.
  virtual StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) = 0;
};

struct Event {
  enum class Kind : std::uint8_t {
    event,
    snapshot,          // no event: `payload` is the state after event `sequence`
    damaged_snapshot,  // one that nothing can begin from; `payload` says why
  };
  std::uint64_t sequence = 0;  // 1, 2, 3 ... within the stream
  Epoch epoch{};               // of the owner that appended it
  std::string request_id{};    // empty: none
  Bytes payload{};             // the event
  Bytes outcome{};             // the reply that goes with request_id
  Kind kind = Kind::event;
  friend bool operator==(const Event&, const Event&) = default;
};

struct Append {
  std::string stream{};
  Epoch epoch{};
  std::uint64_t expected_sequence = 1;  // sequence of the first event
  std::vector<Event> events{};          // sequence and epoch are filled in by the store
  /// In the same transaction: the state after these events. Of the stream's snapshots the newest
  /// `snapshots_kept` stay; with `trim` the events go that every one of them contains, once there
  /// are so many.
  std::optional<Bytes> snapshot{};
  std::size_t snapshots_kept = 2;
  bool trim = false;
};

struct Opening {
  std::string stream{};
  Epoch epoch{};
};

class Streams {
 public:
  virtual ~Streams() = default;
  /// Raises the fence of `stream` to `epoch` if it is greater than or equal to the stored one (else
  /// `fenced`), waits until no append of a smaller epoch can still commit, and reads what a replay
  /// needs: the newest snapshot that is whole, after those newer ones that are not, and the events
  /// after it. Without a snapshot every event. `corrupt` if that leaves a gap.
  virtual StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) = 0;
  /// The same for many streams at the price of about one, in the order given.
  virtual StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) {
    std::vector<StorageResult<std::vector<Event>>> results;
    results.reserve(openings.size());
    for (const auto& opening : openings) results.push_back(open(opening.stream, opening.epoch));
    return results;
  }
  /// One durable commit for all. Each is accepted or refused (`fenced`: its epoch is not that of
  /// the last open; `conflict`: its sequence is not the next; `misuse`) by itself.
  virtual StorageResult<std::vector<StorageResult<void>>> append(
      std::span<const Append> appends) = 0;
  /// Reads without owning everything that is there, each snapshot behind the last event that it
  /// contains; the order is that of (epoch, sequence). For audits and `coterie journal`.
  virtual StorageResult<std::vector<Event>> read(std::string_view stream) = 0;
  /// Every stream that was ever opened and starts with `prefix`, in order of name.
  virtual StorageResult<std::vector<std::string>> list(std::string_view prefix) = 0;
};

}  // namespace coterie
