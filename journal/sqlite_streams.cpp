#include "journal/sqlite_streams.hpp"

#include <algorithm>
#include <utility>

#include "journal/sqlite_gather.hpp"

namespace coterie {
namespace {

using detail::SqliteBlob;
using detail::SqliteFile;
using detail::SqliteKind;
using detail::SqliteStatement;
using detail::StreamHead;
using Code = StorageError::Code;

// Of streams that one process has opened; beyond it some are read again when needed.
constexpr std::size_t heads_max = std::size_t{1} << 20;

bool asks_for(std::span<const Append> appends, std::string_view stream, const Epoch& epoch) {
  return std::ranges::any_of(appends, [&](const Append& append) {
    return append.stream == stream && append.epoch == epoch;
  });
}

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

}  // namespace

SqliteStreams::SqliteStreams(Options options)
    : options_(std::move(options)), own_file_(detail::journal_file_name(options_.node)) {}

StorageResult<std::unique_ptr<SqliteStreams>> SqliteStreams::open(const Options& options) {
  std::unique_ptr<SqliteStreams> self(new SqliteStreams(options));
  const SqliteFile names{self->path_of("names.db"), SqliteKind::names, options.cluster_id,
                         options.busy_wait};
  const SqliteFile own = self->file_of(self->own_file_);
  for (const auto* file : {&names, &own}) {
    if (auto ok = detail::create_file(*file); !ok) return failed(ok);
  }
  auto connection = detail::open_file(own, detail::gathering_vfs());
  if (!connection) return failed(connection);
  self->own_.connection = std::move(*connection);
  auto& mine = self->own_;
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&mine.insert, "INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?, ?)"},
      {&mine.snapshots, "SELECT sequence FROM snapshots WHERE stream = ?"},
      {&mine.put_snapshot, "INSERT OR REPLACE INTO snapshots VALUES(?, ?, ?, ?, ?, ?, ?, ?)"},
      {&mine.drop_snapshots, "DELETE FROM snapshots WHERE stream = ? AND sequence < ?"},
      {&mine.drop_events, "DELETE FROM events WHERE stream = ? AND sequence <= ?"},
  };
  for (const auto& [target, sql] : statements) {
    auto statement = mine.connection.prepare(sql);
    if (!statement) return failed(statement);
    *target = std::move(*statement);
  }
  self->own_.turn = detail::SqliteTurn(own.path + ".turn");
  for (auto* table : {&self->own_.fences, &self->opener_.fences}) {
    auto fences = detail::SqliteFences::open(names);
    if (!fences) return failed(fences);
    *table = std::move(*fences);
  }
  // Fail now, not at the first append, when the file cannot be written.
  detail::SqliteTransaction probe(self->own_.connection);
  if (auto ok = probe.begin(); !ok) return failed(ok);
  return self;
}

std::string SqliteStreams::path_of(std::string_view file) const {
  return options_.directory + "/" + std::string(file);
}

SqliteFile SqliteStreams::file_of(std::string_view file) const {
  return {path_of(file), SqliteKind::journal, options_.cluster_id, options_.busy_wait};
}

StorageResult<std::vector<Event>> SqliteStreams::open(std::string_view stream, Epoch epoch) {
  const Opening opening{std::string(stream), epoch};
  auto results = open_many({&opening, 1});
  if (!results) return failed(results);
  return std::move(results->front());
}

StorageResult<std::vector<StorageResult<std::vector<Event>>>> SqliteStreams::open_many(
    std::span<const Opening> openings) {
  if (openings.empty()) return std::vector<StorageResult<std::vector<Event>>>{};
  const std::lock_guard lock(opener_.mutex);
  auto taken = take(openings);
  if (!taken) return failed(taken);
  std::vector<StorageResult<std::vector<Event>>> results;
  results.reserve(taken->size());
  for (auto& stream : *taken) {
    if (stream) {
      results.emplace_back(std::move(stream->events));
    } else {
      results.emplace_back(failed(stream));
    }
  }
  return results;
}

StorageResult<std::vector<StorageResult<void>>> SqliteStreams::append(
    std::span<const Append> appends) {
  if (appends.empty()) return std::vector<StorageResult<void>>{};
  // A second connection of this node's name (a test, an operator's tool) may have written to the
  // own file what `heads` does not know; the unique key notices, and one look again settles it.
  for (int attempt = 0;; ++attempt) {
    if (auto ok = recall(appends); !ok) return failed(ok);
    const std::lock_guard lock(own_.mutex);
    auto results = append_once(appends);
    if (results || results.error().code != Code::conflict) return results;
    if (attempt > 0) {
      results.error().code = Code::unavailable;
      return results;
    }
    for (const auto& append : appends) own_.heads.erase(append.stream);
  }
}

/// Reads where streams stand that `heads` does not know although this node has opened them.
StorageResult<void> SqliteStreams::recall(std::span<const Append> appends) {
  std::vector<Opening> unknown;
  {
    const std::lock_guard lock(own_.mutex);
    for (const auto& append : appends) {
      const auto found = own_.heads.find(append.stream);
      if (found == own_.heads.end() || found->second.at.fence < append.epoch) {
        unknown.push_back({append.stream, append.epoch});
      }
    }
  }
  if (unknown.empty()) return {};
  const std::lock_guard lock(opener_.mutex);
  std::vector<Opening> ours;
  for (auto& opening : unknown) {
    auto fence = opener_.fences.read(opening.stream);
    if (!fence) return failed(fence);
    if (*fence && (*fence)->epoch == opening.epoch && (*fence)->homes.back() == own_file_) {
      ours.push_back(std::move(opening));
    }
  }
  if (ours.empty()) return {};
  // The fence may be raised meanwhile; then this is refused, and so is the append.
  auto taken = take(ours);
  if (!taken) return failed(taken);
  for (auto& stream : *taken) {
    if (!stream && stream.error().code != Code::fenced) return failed(stream);
  }
  return {};
}

StorageResult<std::vector<StorageResult<void>>> SqliteStreams::append_once(
    std::span<const Append> appends) {
  own_.turn.give_way();
  // The order is the proof: own write lock, then the fences, then the events.
  detail::SqliteTransaction transaction(own_.connection);
  if (auto ok = transaction.begin(); !ok) return failed(ok);
  auto heads = heads_of(appends);
  if (!heads) return failed(heads);
  auto plan = detail::plan_appends(appends, *heads);
  if (plan.rows.empty() && plan.snapshots.empty()) return std::move(plan.results);
  if (auto ok = insert(plan); !ok) return failed(ok);
  for (const auto& taken : plan.snapshots) {
    if (auto ok = take_snapshot(taken); !ok) return failed(ok);
  }
  if (auto ok = transaction.commit(); !ok) return failed(ok);
  for (const auto& [stream, head] : plan.heads) remember(stream, head);
  return std::move(plan.results);
}

/// Where the streams of the batch stand. The fences are read again only when somebody has written
/// to the names file since: as long as its version is the same, so is what it said.
StorageResult<detail::StreamHeads> SqliteStreams::heads_of(std::span<const Append> appends) {
  const auto version = own_.fences.version();
  if (!version) return failed(version);
  detail::StreamHeads heads;
  heads.reserve(appends.size());
  std::vector<std::string_view> unsure;
  for (const auto& append : appends) {
    const auto [head, fresh] = heads.try_emplace(append.stream);
    if (!fresh) continue;
    const auto known = own_.heads.find(append.stream);
    if (known != own_.heads.end() && known->second.fenced_at == *version) {
      head->second = known->second.at;
    } else {
      unsure.push_back(append.stream);
    }
  }
  if (unsure.empty()) return heads;
  const auto fences = own_.fences.read_many(unsure);
  if (!fences) return failed(fences);
  for (std::size_t i = 0; i < unsure.size(); ++i) {
    const auto& fence = (*fences)[i];
    if (!fence) return failed(fence);
    if (!*fence) continue;  // never opened
    StreamHead& head = heads.at(unsure[i]);
    head = {.fence = (*fence)->epoch, .owned = false};
    const auto known = own_.heads.find(unsure[i]);
    const bool ours = (*fence)->homes.back() == own_file_;
    const bool known_here = known != own_.heads.end() && known->second.at.fence == head.fence;
    if (ours && known_here) {
      head = known->second.at;
      known->second.fenced_at = *version;
    } else if (ours && asks_for(appends, unsure[i], head.fence)) {
      // Opened here, and forgotten between the look and the lock.
      return std::unexpected(StorageError{
          Code::conflict, "stream '" + std::string(unsure[i]) + "' is being opened; append again"});
    } else if (known != own_.heads.end() && !ours) {
      own_.heads.erase(known);  // another owner has it
    }
  }
  return heads;
}

StorageResult<void> SqliteStreams::insert(const detail::AppendPlan& plan) {
  for (const auto& row : plan.rows) {
    const Event& event = row.source();
    const Epoch& epoch = row.append->epoch;
    auto ok = own_.insert.run(std::string_view(row.append->stream), row.sequence, epoch.view,
                              epoch.counter, std::string_view(event.request_id),
                              SqliteBlob{event.payload}, SqliteBlob{event.outcome},
                              std::uint64_t{row.chain});
    if (!ok) return ok;
  }
  return {};
}

StorageResult<void> SqliteStreams::take_snapshot(const detail::AppendPlan::Taken& taken) {
  const std::string_view stream = taken.append->stream;
  std::vector<std::uint64_t> stored;
  auto ok = own_.snapshots.query(
      [&stored](SqliteStatement& row) { stored.push_back(row.number(0)); }, stream);
  if (!ok) return ok;
  const auto retention = detail::retain(std::move(stored), taken);
  const auto snapshot = detail::stored_form(taken, retention);
  ok = own_.put_snapshot.run(stream, snapshot.sequence, snapshot.epoch.view, snapshot.epoch.counter,
                             SqliteBlob{snapshot.state}, std::uint64_t{snapshot.chain},
                             snapshot.trimmed, std::uint64_t{snapshot.checksum});
  if (ok) ok = own_.drop_snapshots.run(stream, retention.snapshots_below);
  if (ok && retention.trimmed != 0) ok = own_.drop_events.run(stream, retention.trimmed);
  return ok;
}

void SqliteStreams::remember(std::string_view stream, const StreamHead& head) {
  if (const auto known = own_.heads.find(stream); known != own_.heads.end()) {
    if (known->second.at.fence != head.fence) known->second.fenced_at.reset();
    known->second.at = head;
    return;
  }
  if (own_.heads.size() >= heads_max) own_.heads.erase(own_.heads.begin());
  own_.heads.emplace(stream, KnownHead{.at = head});
}

StorageResult<std::vector<std::string>> SqliteStreams::list(std::string_view prefix) {
  const std::lock_guard lock(opener_.mutex);
  return opener_.fences.list(prefix);
}

}  // namespace coterie
