// How a stream is taken over and read: the files of all nodes that ever owned it.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "journal/sqlite_streams.hpp"

namespace coterie {
namespace {

using detail::Fence;
using detail::RaisedFence;
using detail::SqliteConnection;
using detail::SqliteStatement;
using detail::StoredEvent;
using detail::StoredSnapshot;
using detail::VerifiedStream;
using Code = StorageError::Code;

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

}  // namespace

StorageResult<SqliteStreams::Home*> SqliteStreams::home(const std::string& file) {
  if (const auto found = opener_.homes.find(file); found != opener_.homes.end()) {
    if (!found->second.connection.moved()) return &found->second;
    opener_.homes.erase(found);
  }
  struct stat status {};
  if (::stat(path_of(file).c_str(), &status) != 0 && errno == ENOENT) {
    return std::unexpected(StorageError{
        Code::corrupt, "SQLite file '" + path_of(file) +
                           "' is missing; it holds events of streams that another node asks for. "
                           "Put it back; nothing is started without its past"});
  }
  auto connection = detail::open_file(file_of(file));
  if (!connection) return failed(connection);
  Home home{.connection = std::move(*connection),
            .events = {},
            .snapshots = {},
            .any_before = {},
            .drop_events = {},
            .drop_snapshots = {},
            .turn = detail::SqliteTurn(path_of(file) + ".turn")};
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&home.events,
       "SELECT sequence, view, counter, request_id, payload, outcome, chain FROM events"
       " WHERE stream = ? AND sequence > ? ORDER BY sequence"},
      {&home.snapshots,
       "SELECT sequence, view, counter, state, chain, trimmed, crc FROM snapshots"
       " WHERE stream = ?"},
      {&home.any_before, "SELECT 1 FROM events WHERE stream = ? AND sequence <= ? LIMIT 1"},
      {&home.drop_events, "DELETE FROM events WHERE stream = ? AND sequence <= ?"},
      {&home.drop_snapshots, "DELETE FROM snapshots WHERE stream = ? AND sequence < ?"},
  };
  for (const auto& [target, sql] : statements) {
    auto statement = home.connection.prepare(sql);
    if (!statement) return failed(statement);
    *target = std::move(*statement);
  }
  return &opener_.homes.emplace(file, std::move(home)).first->second;
}

StorageResult<void> SqliteStreams::pass_lock(const std::string& file) {
  const auto pass = [](SqliteConnection& connection) -> StorageResult<void> {
    detail::SqliteTransaction nothing(connection);
    return nothing.begin();
  };
  if (file == own_file_) {
    const std::lock_guard lock(own_.mutex);
    return pass(own_.connection);
  }
  auto other = home(file);
  if (!other) return failed(other);
  (*other)->turn.want();
  auto passed = pass((*other)->connection);
  (*other)->turn.done();
  return passed;
}

StorageResult<void> SqliteStreams::read_snapshots(Home& home, std::string_view stream,
                                                  std::vector<StoredSnapshot>& snapshots) {
  return home.snapshots.query(
      [&](SqliteStatement& row) {
        snapshots.push_back({.sequence = row.number(0),
                             .epoch = {row.number(1), row.number(2)},
                             .state = Bytes(row.bytes(3)),
                             .chain = static_cast<std::uint32_t>(row.number(4)),
                             .trimmed = row.number(5),
                             .checksum = static_cast<std::uint32_t>(row.number(6))});
      },
      stream);
}

StorageResult<void> SqliteStreams::read_events(Home& home, std::string_view stream,
                                               std::uint64_t after,
                                               std::vector<StoredEvent>& events) {
  return home.events.query(
      [&](SqliteStatement& row) {
        events.push_back({Event{.sequence = row.number(0),
                                .epoch = {row.number(1), row.number(2)},
                                .request_id = std::string(row.bytes(3)),
                                .payload = Bytes(row.bytes(4)),
                                .outcome = Bytes(row.bytes(5))},
                          static_cast<std::uint32_t>(row.number(6))});
      },
      stream, after);
}

/// Passes the lock of every home of the fences once, then reads the streams from each, of one
/// moment per file: locks are taken per file and not per stream. The own file is a home like the
/// others where it was one before; nobody has appended to a file that was none.
std::vector<StorageResult<SqliteStreams::Replay>> SqliteStreams::pass_and_read(
    std::span<const Opening> openings, const std::vector<StorageResult<RaisedFence>>& fences) {
  std::map<std::string_view, std::vector<std::size_t>> of_file;
  std::vector<StorageResult<Replay>> found(openings.size());
  for (std::size_t i = 0; i < fences.size(); ++i) {
    if (!fences[i]) continue;
    std::span<const std::string> homes = fences[i]->fence.homes;
    if (fences[i]->new_home) homes = homes.first(homes.size() - 1);
    for (const auto& file : homes) of_file[file].push_back(i);
  }
  const auto fail = [&](std::string_view file, const StorageError& error) {
    for (const std::size_t i : of_file.at(file)) found[i] = std::unexpected(error);
  };
  for (const auto& [file, indexes] : of_file) {
    if (auto ok = pass_lock(std::string(file)); !ok) fail(file, ok.error());
  }
  // Snapshots and events of a file are of the same moment, or one that is taken in between would
  // have its events deleted.
  std::deque<std::pair<std::string_view, detail::SqliteTransaction>> readings;
  std::map<std::string_view, Home*> homes;
  for (const auto& [file, indexes] : of_file) {
    auto source = home(std::string(file));
    if (!source) {
      fail(file, source.error());
      continue;
    }
    auto& reading = readings.emplace_back(file, (*source)->connection).second;
    if (auto ok = reading.begin_reading(); !ok) {
      fail(file, ok.error());
      continue;
    }
    homes.emplace(file, *source);
  }
  const auto each = [&](const auto& read) {
    for (const auto& [file, home] : homes) {
      for (const std::size_t i : of_file.at(file)) {
        if (!found[i]) continue;
        if (auto ok = read(*home, openings[i].stream, *found[i]); !ok) found[i] = failed(ok);
      }
    }
  };
  each([this](Home& home, std::string_view stream, Replay& replay) {
    return read_snapshots(home, stream, replay.snapshots);
  });
  for (std::size_t i = 0; i < openings.size(); ++i) {
    if (!found[i]) continue;
    found[i]->begin = detail::footing(openings[i].stream, std::move(found[i]->snapshots));
  }
  each([this](Home& home, std::string_view stream, Replay& replay) {
    return read_events(home, stream, replay.begin.sequence(), replay.events);
  });
  return found;
}

StorageResult<std::vector<StorageResult<VerifiedStream>>> SqliteStreams::take(
    std::span<const Opening> openings) {
  auto fences = opener_.fences.raise(openings, own_file_);
  if (!fences) return failed(fences);
  // From here on no append under a smaller epoch can begin. Wait for those that had begun.
  auto replays = pass_and_read(openings, *fences);
  // A newer owner may have begun while the files were read one after the other. If not, what was
  // read is the whole stream, and what is wrong with it is damage.
  std::vector<std::string_view> streams;
  for (const auto& opening : openings) streams.push_back(opening.stream);
  auto now = opener_.fences.read_many(streams);
  if (!now) return failed(now);
  std::vector<StorageResult<VerifiedStream>> results;
  std::vector<std::pair<std::size_t, std::uint64_t>> leftovers;
  results.reserve(openings.size());
  for (std::size_t i = 0; i < openings.size(); ++i) {
    const auto& [stream, epoch] = openings[i];
    auto& fence = (*fences)[i];
    auto& unchanged = (*now)[i];
    if (!fence) {
      results.emplace_back(failed(fence));
    } else if (!replays[i]) {
      results.emplace_back(failed(replays[i]));
    } else if (!unchanged) {
      results.emplace_back(failed(unchanged));
    } else if (*unchanged != fence->fence) {
      results.emplace_back(
          std::unexpected(detail::fenced(stream, epoch, unchanged->value_or(Fence{}).epoch)));
    } else {
      const auto& snapshot = replays[i]->begin.snapshot;
      if (snapshot && snapshot->trimmed != 0) leftovers.push_back({i, snapshot->trimmed});
      results.push_back(
          detail::verify(stream, std::move(replays[i]->events), std::move(replays[i]->begin)));
    }
  }
  drop_leftovers(openings, *fences, leftovers);
  const std::lock_guard lock(own_.mutex);
  for (std::size_t i = 0; i < openings.size(); ++i) {
    if (!results[i]) continue;
    // An append of this same epoch may have been faster than the read.
    const auto known = own_.heads.find(openings[i].stream);
    if (known != own_.heads.end() && known->second.at.fence == openings[i].epoch &&
        known->second.at.sequence > results[i]->sequence) {
      continue;
    }
    remember(openings[i].stream, {.fence = openings[i].epoch,
                                  .owned = true,
                                  .sequence = results[i]->sequence,
                                  .chain = results[i]->chain});
  }
  return results;
}

/// An owner deletes in its own file only; what it left in those of earlier owners goes at the next
/// open. Nothing depends on that: what cannot be deleted now is tried again then.
void SqliteStreams::drop_leftovers(std::span<const Opening> openings,
                                   const std::vector<StorageResult<RaisedFence>>& fences,
                                   std::span<const std::pair<std::size_t, std::uint64_t>> trimmed) {
  std::map<std::string_view, std::vector<std::pair<std::size_t, std::uint64_t>>> of_file;
  for (const auto& [i, until] : trimmed) {
    for (const auto& file : fences[i]->fence.homes) {
      if (file == own_file_) continue;
      auto source = home(file);
      bool any = false;
      if (source &&
          (*source)->any_before.query([&any](SqliteStatement&) { any = true; },
                                      std::string_view(openings[i].stream), until) &&
          any) {
        of_file[file].push_back({i, until});
      }
    }
  }
  for (const auto& [file, streams] : of_file) {
    auto source = home(std::string(file));
    if (!source) continue;
    detail::SqliteTransaction transaction((*source)->connection);
    bool ok = transaction.begin().has_value();
    for (const auto& [i, until] : streams) {
      const std::string_view stream = openings[i].stream;
      ok = ok && (*source)->drop_events.run(stream, until) &&
           (*source)->drop_snapshots.run(stream, until);
    }
    if (ok) static_cast<void>(transaction.commit());
  }
}

StorageResult<VerifiedStream> SqliteStreams::read_all(std::string_view stream, const Fence& fence) {
  detail::StoredStream stored;
  for (const auto& file : fence.homes) {
    auto source = home(file);
    if (!source) return failed(source);
    detail::SqliteTransaction reading((*source)->connection);
    auto ok = reading.begin_reading();
    if (ok) ok = read_snapshots(**source, stream, stored.snapshots);
    if (ok) ok = read_events(**source, stream, 0, stored.events);
    if (!ok) return failed(ok);
  }
  return detail::verify_all(stream, std::move(stored));
}

StorageResult<std::vector<Event>> SqliteStreams::read(std::string_view stream) {
  if (auto ok = detail::check_stream(stream); !ok) return failed(ok);
  const std::lock_guard lock(opener_.mutex);
  // While a stream moves, its files are read at different moments: an event of the new owner may
  // be seen without the last one of the old. That passes; damage stays.
  constexpr int attempts = 5;
  for (int attempt = 1;; ++attempt) {
    auto fence = opener_.fences.read(stream);
    if (!fence) return failed(fence);
    if (!*fence) return std::vector<Event>{};
    auto verified = read_all(stream, **fence);
    if (verified) return std::move(verified->events);
    const bool may_pass = verified.error().code == Code::corrupt && (*fence)->homes.size() > 1;
    if (!may_pass || attempt == attempts) return failed(verified);
    for (const auto& file : (*fence)->homes) {
      if (auto ok = pass_lock(file); !ok) return failed(ok);
    }
  }
}

}  // namespace coterie
