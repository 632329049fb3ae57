// What makes a stored stream trustworthy: its order, its chain of checksums, and the snapshots from
// which that chain may begin.

#include <algorithm>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>

#include "journal/checksum.hpp"
#include "journal/streams_core.hpp"

namespace coterie::detail {
namespace {

constexpr const char* restore_it = ". Restore the journal from a backup";

std::unexpected<StorageError> corrupt(std::string_view stream, std::string what) {
  return std::unexpected(
      StorageError{StorageError::Code::corrupt,
                   "stream '" + std::string(stream) + "'" + std::move(what) + restore_it});
}

Event entry_of(StoredSnapshot snapshot) {
  return {.sequence = snapshot.sequence,
          .epoch = snapshot.epoch,
          .payload = std::move(snapshot.state),
          .kind = Event::Kind::snapshot};
}

Event damaged_entry(const StoredSnapshot& snapshot, std::string why) {
  return {.sequence = snapshot.sequence,
          .epoch = snapshot.epoch,
          .payload = std::move(why),
          .kind = Event::Kind::damaged_snapshot};
}

Event with_damaged_checksum(const StoredSnapshot& snapshot) {
  return damaged_entry(snapshot, "its checksum does not fit; it was changed on disk");
}

void sort(std::vector<StoredEvent>& events) {
  std::ranges::sort(events, [](const StoredEvent& a, const StoredEvent& b) {
    return std::tie(a.event.epoch, a.event.sequence) < std::tie(b.event.epoch, b.event.sequence);
  });
}

/// Why events are missing that a damaged snapshot stood for; empty: none is known to.
std::string behind(const std::vector<Event>& damaged, std::uint64_t first) {
  if (damaged.empty() || first <= 1) return {};
  return ": events before " + std::to_string(first) +
         " were deleted behind a snapshot, and none that is whole is left (that of event " +
         std::to_string(damaged.front().sequence) + ": " + damaged.front().payload + ")";
}

StorageResult<void> follow(std::string_view stream, VerifiedStream& verified,
                           const StoredEvent& stored) {
  const Event& event = stored.event;
  if (event.sequence != verified.sequence + 1) {
    return corrupt(stream, ": after event " + std::to_string(verified.sequence) + " comes event " +
                               std::to_string(event.sequence) + " of epoch " +
                               to_string(event.epoch) + "; events are missing or doubled");
  }
  if (chain(verified.chain, stream, event.sequence, event.epoch, event) != stored.chain) {
    return corrupt(stream, ": the checksum of event " + std::to_string(event.sequence) +
                               " does not fit; it or one before it was changed on disk");
  }
  verified.sequence = event.sequence;
  verified.chain = stored.chain;
  return {};
}

}  // namespace

Retention retain(std::vector<std::uint64_t> stored, const AppendPlan::Taken& taken) {
  const Append& append = *taken.append;
  std::erase(stored, taken.sequence);
  stored.push_back(taken.sequence);
  std::ranges::sort(stored);
  const std::size_t kept = std::max<std::size_t>(append.snapshots_kept, 1);
  if (stored.size() < kept) return {};
  const std::uint64_t oldest = stored[stored.size() - kept];
  return {.snapshots_below = oldest, .trimmed = append.trim ? oldest : 0};
}

StoredSnapshot stored_form(const AppendPlan::Taken& taken, const Retention& retention) {
  StoredSnapshot snapshot{.sequence = taken.sequence,
                          .epoch = taken.append->epoch,
                          .state = *taken.append->snapshot,
                          .chain = taken.chain,
                          .trimmed = retention.trimmed};
  snapshot.checksum = checksum(taken.append->stream, snapshot);
  return snapshot;
}

std::uint32_t checksum(std::string_view stream, const StoredSnapshot& snapshot) noexcept {
  return Checksum()
      .add(stream)
      .add(snapshot.sequence)
      .add(snapshot.epoch.view)
      .add(snapshot.epoch.counter)
      .add(snapshot.state)
      .add(std::uint64_t{snapshot.chain})
      .add(snapshot.trimmed)
      .value();
}

Footing footing(std::string_view stream, std::vector<StoredSnapshot> snapshots) {
  std::ranges::sort(snapshots, std::greater{},
                    [](const StoredSnapshot& one) { return std::tuple(one.sequence, one.epoch); });
  Footing found;
  for (auto& one : snapshots) {
    if (checksum(stream, one) == one.checksum) {
      found.snapshot = std::move(one);
      break;
    }
    found.damaged.push_back(with_damaged_checksum(one));
  }
  return found;
}

StorageResult<VerifiedStream> verify(std::string_view stream, std::vector<StoredEvent> events,
                                     Footing begin) {
  sort(events);
  if (!events.empty() && !begin.snapshot) {
    if (auto why = behind(begin.damaged, events.front().event.sequence); !why.empty()) {
      return corrupt(stream, std::move(why));
    }
  }
  if (events.empty() && !begin.snapshot && !begin.damaged.empty()) {
    return corrupt(stream, behind(begin.damaged, begin.damaged.front().sequence + 1));
  }
  VerifiedStream verified;
  verified.events = std::move(begin.damaged);
  if (begin.snapshot) {
    verified.sequence = begin.snapshot->sequence;
    verified.chain = begin.snapshot->chain;
    verified.events.push_back(entry_of(*std::move(begin.snapshot)));
  }
  verified.events.reserve(verified.events.size() + events.size());
  for (auto& stored : events) {
    if (auto ok = follow(stream, verified, stored); !ok) return std::unexpected(ok.error());
    verified.events.push_back(std::move(stored.event));
  }
  return verified;
}

StorageResult<VerifiedStream> verify_all(std::string_view stream, StoredStream stored) {
  std::ranges::sort(stored.snapshots, {},
                    [](const StoredSnapshot& one) { return std::tuple(one.sequence, one.epoch); });
  sort(stored.events);
  std::uint64_t trimmed = 0;
  std::vector<Event> damaged;
  for (const auto& one : stored.snapshots) {
    if (checksum(stream, one) == one.checksum) {
      trimmed = std::max(trimmed, one.trimmed);
    } else {
      damaged.push_back(with_damaged_checksum(one));
    }
  }
  // Files of earlier owners may still hold some of what was deleted in that of a later one.
  std::erase_if(stored.events,
                [trimmed](const StoredEvent& one) { return one.event.sequence <= trimmed; });
  std::erase_if(stored.snapshots,
                [trimmed](const StoredSnapshot& one) { return one.sequence < trimmed; });
  VerifiedStream verified;
  auto next = stored.snapshots.begin();
  const auto first = stored.events.empty() ? 0 : stored.events.front().event.sequence;
  bool begun = trimmed == 0 && first <= 1;
  const auto place_snapshots = [&](std::uint64_t until) {
    for (; next != stored.snapshots.end() && next->sequence <= until; ++next) {
      if (checksum(stream, *next) != next->checksum) {
        verified.events.push_back(with_damaged_checksum(*next));
      } else if (!begun) {
        begun = true;
        verified.sequence = next->sequence;
        verified.chain = next->chain;
        verified.events.push_back(entry_of(std::move(*next)));
      } else if (next->sequence == verified.sequence && next->chain != verified.chain) {
        verified.events.push_back(damaged_entry(*next, "it was not taken after these events"));
      } else {
        verified.events.push_back(entry_of(std::move(*next)));
      }
    }
  };
  for (auto& one : stored.events) {
    place_snapshots(one.event.sequence - 1);
    if (!begun && trimmed != 0 && one.event.sequence == trimmed + 1) {
      // The snapshot that stood for the events before is damaged, a later one is whole.
      begun = true;
      verified.sequence = one.event.sequence;
      verified.chain = one.chain;
      verified.events.push_back(std::move(one.event));
      continue;
    }
    if (auto why = begun ? std::string() : behind(damaged, one.event.sequence); !why.empty()) {
      return corrupt(stream, std::move(why));
    }
    if (auto ok = follow(stream, verified, one); !ok) return std::unexpected(ok.error());
    verified.events.push_back(std::move(one.event));
  }
  place_snapshots(std::numeric_limits<std::uint64_t>::max());
  return verified;
}

}  // namespace coterie::detail
