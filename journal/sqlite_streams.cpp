#include "journal/sqlite_streams.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace coterie {
namespace {

using detail::Fence;
using detail::SqliteBlob;
using detail::SqliteConnection;
using detail::SqliteFile;
using detail::SqliteKind;
using detail::SqliteStatement;
using detail::StoredEvent;
using detail::StreamHead;
using detail::VerifiedStream;
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
  auto connection = detail::open_file(own);
  if (!connection) return failed(connection);
  self->own_.connection = std::move(*connection);
  auto insert = self->own_.connection.prepare("INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return failed(insert);
  self->own_.insert = std::move(*insert);
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
            .select = {},
            .turn = detail::SqliteTurn(path_of(file) + ".turn")};
  auto select = home.connection.prepare(
      "SELECT sequence, view, counter, request_id, payload, outcome, chain FROM events"
      " WHERE stream = ? ORDER BY sequence");
  if (!select) return failed(select);
  home.select = std::move(*select);
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

StorageResult<void> SqliteStreams::read_home(Home& home, std::string_view stream,
                                             std::vector<StoredEvent>& events) {
  return home.select.query(
      [&](SqliteStatement& row) {
        events.push_back({Event{.sequence = row.number(0),
                                .epoch = {row.number(1), row.number(2)},
                                .request_id = std::string(row.bytes(3)),
                                .payload = Bytes(row.bytes(4)),
                                .outcome = Bytes(row.bytes(5))},
                          static_cast<std::uint32_t>(row.number(6))});
      },
      stream);
}

StorageResult<VerifiedStream> SqliteStreams::read_homes(std::string_view stream,
                                                        const Fence& fence) {
  std::vector<StoredEvent> events;
  for (const auto& file : fence.homes) {
    auto source = home(file);
    if (!source) return failed(source);
    if (auto ok = read_home(**source, stream, events); !ok) return failed(ok);
  }
  return detail::verify(stream, std::move(events));
}

/// Passes the lock of every home of the fences once, then reads the streams from each, of one
/// moment per file: locks are taken per file and not per stream.
std::vector<StorageResult<std::vector<StoredEvent>>> SqliteStreams::pass_and_read(
    std::span<const Opening> openings, const std::vector<StorageResult<Fence>>& fences) {
  std::map<std::string_view, std::vector<std::size_t>> of_file;
  std::vector<StorageResult<std::vector<StoredEvent>>> found(openings.size());
  for (std::size_t i = 0; i < fences.size(); ++i) {
    if (!fences[i]) continue;
    for (const auto& file : fences[i]->homes) of_file[file].push_back(i);
  }
  const auto fail = [&found](const std::vector<std::size_t>& indexes, const StorageError& error) {
    for (const std::size_t i : indexes) found[i] = std::unexpected(error);
  };
  for (const auto& [file, indexes] : of_file) {
    if (auto ok = pass_lock(std::string(file)); !ok) fail(indexes, ok.error());
  }
  for (const auto& [file, indexes] : of_file) {
    auto source = home(std::string(file));
    if (!source) {
      fail(indexes, source.error());
      continue;
    }
    detail::SqliteTransaction reading((*source)->connection);
    if (auto ok = reading.begin_reading(); !ok) {
      fail(indexes, ok.error());
      continue;
    }
    for (const std::size_t i : indexes) {
      if (!found[i]) continue;
      if (auto ok = read_home(**source, openings[i].stream, *found[i]); !ok) found[i] = failed(ok);
    }
  }
  return found;
}

StorageResult<std::vector<StorageResult<VerifiedStream>>> SqliteStreams::take(
    std::span<const Opening> openings) {
  auto fences = opener_.fences.raise(openings, own_file_);
  if (!fences) return failed(fences);
  // From here on no append under a smaller epoch can begin. Wait for those that had begun.
  auto events = pass_and_read(openings, *fences);
  // A newer owner may have begun while the files were read one after the other. If not, what was
  // read is the whole stream, and what is wrong with it is damage.
  auto now = opener_.fences.read_many(openings);
  if (!now) return failed(now);
  std::vector<StorageResult<VerifiedStream>> results;
  results.reserve(openings.size());
  for (std::size_t i = 0; i < openings.size(); ++i) {
    const auto& [stream, epoch] = openings[i];
    auto& fence = (*fences)[i];
    auto& unchanged = (*now)[i];
    if (!fence) {
      results.emplace_back(failed(fence));
    } else if (!events[i]) {
      results.emplace_back(failed(events[i]));
    } else if (!unchanged) {
      results.emplace_back(failed(unchanged));
    } else if (*unchanged != *fence) {
      results.emplace_back(
          std::unexpected(detail::fenced(stream, epoch, unchanged->value_or(Fence{}).epoch)));
    } else {
      results.push_back(detail::verify(stream, std::move(*events[i])));
    }
  }
  const std::lock_guard lock(own_.mutex);
  for (std::size_t i = 0; i < openings.size(); ++i) {
    if (!results[i]) continue;
    // An append of this same epoch may have been faster than the read.
    const auto known = own_.heads.find(openings[i].stream);
    if (known != own_.heads.end() && known->second.fence == openings[i].epoch &&
        known->second.sequence > results[i]->sequence) {
      continue;
    }
    remember(openings[i].stream, {.fence = openings[i].epoch,
                                  .owned = true,
                                  .sequence = results[i]->sequence,
                                  .chain = results[i]->chain});
  }
  return results;
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
      if (found == own_.heads.end() || found->second.fence < append.epoch) {
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
  detail::StreamHeads heads;
  for (const auto& stream : detail::streams_of(appends)) {
    auto fence = own_.fences.read(stream);
    if (!fence) return failed(fence);
    if (!*fence) continue;
    StreamHead head{.fence = (*fence)->epoch, .owned = false};
    const auto known = own_.heads.find(stream);
    const bool ours = (*fence)->homes.back() == own_file_;
    const bool known_here = known != own_.heads.end() && known->second.fence == head.fence;
    if (ours && known_here) {
      head = known->second;
    } else if (ours && asks_for(appends, stream, head.fence)) {
      // Opened here, and forgotten between the look and the lock.
      return std::unexpected(
          StorageError{Code::conflict, "stream '" + stream + "' is being opened; append again"});
    } else if (known != own_.heads.end() && !ours) {
      own_.heads.erase(known);  // another owner has it
    }
    heads.emplace(stream, head);
  }
  auto plan = detail::plan_appends(appends, std::move(heads));
  if (plan.rows.empty()) return std::move(plan.results);
  if (auto ok = insert(plan); !ok) return failed(ok);
  if (auto ok = transaction.commit(); !ok) return failed(ok);
  for (const auto& [stream, head] : plan.heads) remember(stream, head);
  return std::move(plan.results);
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

void SqliteStreams::remember(const std::string& stream, const StreamHead& head) {
  if (own_.heads.size() >= heads_max && !own_.heads.contains(stream)) {
    own_.heads.erase(own_.heads.begin());
  }
  own_.heads.insert_or_assign(stream, head);
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
    auto verified = read_homes(stream, **fence);
    if (verified) return std::move(verified->events);
    const bool may_pass = verified.error().code == Code::corrupt && (*fence)->homes.size() > 1;
    if (!may_pass || attempt == attempts) return failed(verified);
    for (const auto& file : (*fence)->homes) {
      if (auto ok = pass_lock(file); !ok) return failed(ok);
    }
  }
}

StorageResult<std::vector<std::string>> SqliteStreams::list(std::string_view prefix) {
  const std::lock_guard lock(opener_.mutex);
  return opener_.fences.list(prefix);
}

}  // namespace coterie
