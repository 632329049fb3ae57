#pragma once
// What a batch of appends does to streams, and what makes a stored stream trustworthy: pure
// functions that the three Streams engines share. The rules are those of docs/journal.md.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "process/ports/storage.hpp"

namespace coterie::detail {

inline constexpr std::size_t stream_name_bytes_max = 1024;
inline constexpr std::size_t event_bytes_max = std::size_t{64} << 20;

/// Where a stream stands: who may append, and after what.
struct StreamHead {
  Epoch fence;                 // none: never opened
  bool owned = true;           // false: the fence was raised by another node
  std::uint64_t sequence = 0;  // of the last event
  std::uint32_t chain = 0;     // of the last event
  friend bool operator==(const StreamHead&, const StreamHead&) = default;
};
/// Of the streams of one batch; the names are those of its appends.
using StreamHeads = std::unordered_map<std::string_view, StreamHead>;

/// An event as it is stored. `chain` is a checksum over the chain of the event before it and all
/// its own fields: a changed, missing or foreign event breaks every chain from there on.
struct StoredEvent {
  Event event;
  std::uint32_t chain = 0;
};

/// A snapshot as it is stored. `chain` is that of event `sequence`, so that the chain of later
/// events is checked without the earlier ones.
struct StoredSnapshot {
  std::uint64_t sequence = 0;
  Epoch epoch;
  Bytes state;
  std::uint32_t chain = 0;
  std::uint64_t trimmed = 0;   // events up to this one were deleted when it was taken; 0: none
  std::uint32_t checksum = 0;  // of the stream's name and all of these
};

struct StoredStream {
  std::vector<StoredEvent> events;
  std::vector<StoredSnapshot> snapshots;
};

struct AppendPlan {
  struct Taken {
    const Append* append = nullptr;  // has a snapshot
    std::uint64_t sequence = 0;
    std::uint32_t chain = 0;
  };
  struct Row {
    const Append* append = nullptr;  // into the caller's batch
    std::size_t event = 0;           // index into append->events
    std::uint64_t sequence = 0;
    std::uint32_t chain = 0;
    const Event& source() const { return append->events[event]; }
  };
  std::vector<StorageResult<void>> results;  // one per append, in order
  std::vector<Row> rows;                     // to insert, in order
  std::vector<Taken> snapshots;              // to insert, in order
  StreamHeads heads;                         // that changed
};

StorageResult<void> check_stream(std::string_view stream);
StorageResult<void> check_opening(std::string_view stream, const Epoch& epoch);

/// Streams of the batch, once, in order.
std::vector<std::string> streams_of(std::span<const Append> appends);

/// `heads` holds the streams of the batch; one that is absent was never opened. Appends are judged
/// in order, each after what was accepted of the earlier ones.
AppendPlan plan_appends(std::span<const Append> appends, const StreamHeads& heads);

std::uint32_t chain(std::uint32_t previous, std::string_view stream, std::uint64_t sequence,
                    const Epoch& epoch, const Event& event) noexcept;

/// What a snapshot that is taken does to the stream's others, and to its events.
struct Retention {
  std::uint64_t snapshots_below = 0;  // snapshots before this one go
  std::uint64_t trimmed = 0;          // events up to this one go
};
/// `stored`: the sequences of the snapshots that are there.
Retention retain(std::vector<std::uint64_t> stored, const AppendPlan::Taken& taken);
StoredSnapshot stored_form(const AppendPlan::Taken& taken, const Retention& retention);
std::uint32_t checksum(std::string_view stream, const StoredSnapshot& snapshot) noexcept;

/// From where a replay begins: the newest snapshot that is whole, if there is one.
struct Footing {
  std::optional<StoredSnapshot> snapshot;
  std::vector<Event> damaged;  // newer ones that are not
  std::uint64_t sequence() const { return snapshot ? snapshot->sequence : 0; }
};
Footing footing(std::string_view stream, std::vector<StoredSnapshot> snapshots);

struct VerifiedStream {
  std::vector<Event> events;  // and snapshots, as Streams::open or read returns them
  std::uint64_t sequence = 0;
  std::uint32_t chain = 0;
};

/// Puts events into the order of (epoch, sequence) and checks that sequences follow the footing
/// without a gap and every chain fits; else `corrupt`, naming the first event that does not.
StorageResult<VerifiedStream> verify(std::string_view stream, std::vector<StoredEvent> events,
                                     Footing begin = {});
/// The same of everything that is there, with the snapshots in their places; those that fit
/// neither their checksum nor the events are marked as damaged.
StorageResult<VerifiedStream> verify_all(std::string_view stream, StoredStream stored);

StorageError fenced(std::string_view stream, const Epoch& asked, const Epoch& stored);

}  // namespace coterie::detail
