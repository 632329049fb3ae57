#include "journal/postgres_streams.hpp"

#include <utility>

#include "journal/records_core.hpp"

namespace coterie {
namespace {

using detail::PostgresRows;
using detail::PostgresStatement;
using detail::PostgresValue;
using detail::StoredEvent;
using detail::StoredSnapshot;
using detail::StreamHead;
using detail::VerifiedStream;

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

constexpr std::string_view format = "1";  // in table meta; a program of another one is refused

constexpr const char* select_heads =
    "SELECT stream, view, counter, sequence, chain FROM fences WHERE stream = ANY($1)"
    " ORDER BY stream";
constexpr const char* select_events =
    "SELECT stream, sequence, view, counter, request_id, payload, outcome, chain FROM events"
    " WHERE stream = ANY($1) ORDER BY stream, sequence";

constexpr const char* select_snapshots =
    "SELECT stream, sequence, view, counter, state, chain, trimmed, crc FROM snapshots"
    " WHERE stream = ANY($1) ORDER BY stream, sequence";
// What a replay needs. That the newest snapshot is whole is seen afterwards.
constexpr const char* select_newer_events =
    "SELECT e.stream, e.sequence, e.view, e.counter, e.request_id, e.payload, e.outcome, e.chain"
    " FROM unnest($1) AS wanted(name) CROSS JOIN LATERAL (SELECT coalesce(max(s.sequence), 0) AS"
    " base FROM snapshots s WHERE s.stream = name) AS newest JOIN events e ON e.stream = name AND"
    " e.sequence > base ORDER BY e.stream, e.sequence";

using Snapshots = std::map<std::string, std::vector<StoredSnapshot>, std::less<>>;
using Events = std::map<std::string, std::vector<StoredEvent>, std::less<>>;

Snapshots snapshots_of(const PostgresRows& rows) {
  Snapshots snapshots;
  for (int row = 0; row < rows.size(); ++row) {
    snapshots[std::string(rows.bytes(row, 0))].push_back(
        {.sequence = rows.number(row, 1),
         .epoch = {rows.number(row, 2), rows.number(row, 3)},
         .state = Bytes(rows.bytes(row, 4)),
         .chain = static_cast<std::uint32_t>(rows.number(row, 5)),
         .trimmed = rows.number(row, 6),
         .checksum = static_cast<std::uint32_t>(rows.number(row, 7))});
  }
  return snapshots;
}

using Sequences = std::map<std::string, std::vector<std::uint64_t>, std::less<>>;

detail::StreamHeads heads_of(const PostgresRows& rows) {
  detail::StreamHeads heads;
  for (int row = 0; row < rows.size(); ++row) {
    heads.emplace(rows.bytes(row, 0),
                  StreamHead{.fence = {rows.number(row, 1), rows.number(row, 2)},
                             .owned = true,
                             .sequence = rows.number(row, 3),
                             .chain = static_cast<std::uint32_t>(rows.number(row, 4))});
  }
  return heads;
}

Events events_of(const PostgresRows& rows) {
  Events events;
  for (int row = 0; row < rows.size(); ++row) {
    events[std::string(rows.bytes(row, 0))].push_back(
        {Event{.sequence = rows.number(row, 1),
               .epoch = {rows.number(row, 2), rows.number(row, 3)},
               .request_id = std::string(rows.bytes(row, 4)),
               .payload = Bytes(rows.bytes(row, 5)),
               .outcome = Bytes(rows.bytes(row, 6))},
         static_cast<std::uint32_t>(rows.number(row, 7))});
  }
  return events;
}

/// What was read of one stream, if it ends where its row says.
StorageResult<std::vector<Event>> whole(const std::string& stream, const StreamHead& head,
                                        StorageResult<VerifiedStream> verified) {
  if (!verified) return failed(verified);
  if (verified->sequence == head.sequence && verified->chain == head.chain) {
    return std::move(verified->events);
  }
  return std::unexpected(
      StorageError{StorageError::Code::corrupt,
                   "stream '" + stream + "' ends with event " + std::to_string(verified->sequence) +
                       ", its row in table fences says " + std::to_string(head.sequence) +
                       "; events are missing. Restore the journal from a backup"});
}

std::vector<std::string_view> snapshotted(std::span<const Append> appends) {
  std::vector<std::string_view> streams;
  for (const auto& append : appends) {
    if (append.snapshot) streams.push_back(append.stream);
  }
  return streams;
}

Sequences sequences_of(const PostgresRows& rows) {
  Sequences sequences;
  for (int row = 0; row < rows.size(); ++row) {
    sequences[std::string(rows.bytes(row, 0))].push_back(rows.number(row, 1));
  }
  return sequences;
}

}  // namespace

StorageResult<std::unique_ptr<PostgresStreams>> PostgresStreams::open(
    const PostgresOptions& options) {
  std::unique_ptr<PostgresStreams> self(new PostgresStreams(options));
  const std::vector<PostgresStatement> create = {
      {"CREATE TABLE IF NOT EXISTS fences(stream bytea PRIMARY KEY, view int8 NOT NULL, counter "
       "int8 NOT NULL, sequence int8 NOT NULL, chain int8 NOT NULL)"},
      {"CREATE TABLE IF NOT EXISTS events(stream bytea NOT NULL, sequence int8 NOT NULL, view int8 "
       "NOT NULL, counter int8 NOT NULL, request_id bytea NOT NULL, payload bytea NOT NULL, "
       "outcome "
       "bytea NOT NULL, chain int8 NOT NULL, PRIMARY KEY(stream, sequence))"},
      {"CREATE TABLE IF NOT EXISTS snapshots(stream bytea NOT NULL, sequence int8 NOT NULL, view "
       "int8 NOT NULL, counter int8 NOT NULL, state bytea NOT NULL, chain int8 NOT NULL, trimmed "
       "int8 NOT NULL, crc int8 NOT NULL, PRIMARY KEY(stream, sequence))"},
      {"CREATE TABLE IF NOT EXISTS meta(key text PRIMARY KEY, value text NOT NULL)"},
      {"INSERT INTO meta VALUES('format', '" + std::string(format) + "') ON CONFLICT DO NOTHING"}};
  // The last table: schemas from before it was there get it too.
  if (auto ok = self->opens_.connection.prepare_schema("meta", create); !ok) return failed(ok);
  const PostgresStatement look{"SELECT value::bytea FROM meta WHERE key = 'format'"};
  auto stamped = self->opens_.connection.run({&look, 1});
  if (!stamped) return failed(stamped);
  const PostgresRows& rows = stamped->front();
  const std::string found(rows.size() == 0 ? std::string_view{} : rows.bytes(0, 0));
  if (found == format) return self;
  return std::unexpected(StorageError{
      StorageError::Code::misuse, "the PostgreSQL schema of cluster '" + options.cluster_id +
                                      "' has format '" + found + "', this program reads '" +
                                      std::string(format) + "'. Use the program that wrote it"});
}

StorageResult<std::vector<Event>> PostgresStreams::open(std::string_view stream, Epoch epoch) {
  const Opening opening{std::string(stream), epoch};
  auto results = open_many({&opening, 1});
  if (!results) return failed(results);
  return std::move(results->front());
}

StorageResult<std::vector<StorageResult<std::vector<Event>>>> PostgresStreams::open_many(
    std::span<const Opening> openings) {
  // One row per stream, the greatest epoch, in the order in which every node locks them.
  std::map<std::string_view, Epoch> wanted;
  for (const auto& [stream, epoch] : openings) {
    if (!detail::check_opening(stream, epoch)) continue;
    auto& greatest = wanted[stream];
    greatest = std::max(greatest, epoch);
  }
  std::vector<std::string_view> streams;
  std::vector<std::uint64_t> views;
  std::vector<std::uint64_t> counters;
  for (const auto& [stream, epoch] : wanted) {
    streams.push_back(stream);
    views.push_back(epoch.view);
    counters.push_back(epoch.counter);
  }
  std::vector<PostgresRows> found;  // outlives the heads, whose names are in it
  detail::StreamHeads heads;
  Snapshots snapshots;
  Events events;
  if (!streams.empty()) {
    const auto names = PostgresValue::array(streams);
    const std::vector<PostgresStatement> statements = {
        {"BEGIN ISOLATION LEVEL READ COMMITTED"},
        {"INSERT INTO fences SELECT s, v, c, 0, 0 FROM unnest($1, $2, $3) AS wanted(s, v, c) ON "
         "CONFLICT (stream) DO UPDATE SET view = excluded.view, counter = excluded.counter WHERE "
         "(fences.view, fences.counter) <= (excluded.view, excluded.counter)",
         {names, PostgresValue::array(views), PostgresValue::array(counters)}},
        {select_heads, {names}},
        {select_snapshots, {names}},
        {select_newer_events, {names}},
        {"COMMIT"}};
    const std::lock_guard lock(opens_.mutex);
    auto rows = opens_.connection.run(statements, true);
    if (!rows) return failed(rows);
    found = std::move(*rows);
    heads = heads_of(found[2]);
    snapshots = snapshots_of(found[3]);
    events = events_of(found[4]);
  }
  std::vector<StorageResult<std::vector<Event>>> results;
  results.reserve(openings.size());
  for (const auto& [stream, epoch] : openings) {
    if (auto ok = detail::check_opening(stream, epoch); !ok) {
      results.emplace_back(failed(ok));
    } else if (const auto& head = heads[stream]; head.fence != epoch) {
      results.emplace_back(std::unexpected(detail::fenced(stream, epoch, head.fence)));
    } else if (auto begin = detail::footing(stream, snapshots[stream]); !begin.damaged.empty()) {
      results.push_back(whole(stream, head, replay_from(stream, std::move(begin))));
    } else {
      results.push_back(
          whole(stream, head, detail::verify(stream, events[stream], std::move(begin))));
    }
  }
  return results;
}

/// The newest snapshot is damaged: what comes after an older one.
StorageResult<VerifiedStream> PostgresStreams::replay_from(std::string_view stream,
                                                           detail::Footing begin) {
  const PostgresStatement later{
      "SELECT stream, sequence, view, counter, request_id, payload, outcome, chain FROM events"
      " WHERE stream = $1 AND sequence > $2 ORDER BY sequence",
      {PostgresValue::of(stream), PostgresValue::of(begin.sequence())}};
  const std::lock_guard lock(opens_.mutex);
  auto rows = opens_.connection.run({&later, 1});
  if (!rows) return failed(rows);
  return detail::verify(stream, events_of(rows->front())[std::string(stream)], std::move(begin));
}

StorageResult<std::vector<StorageResult<void>>> PostgresStreams::append(
    std::span<const Append> appends) {
  if (appends.empty()) return std::vector<StorageResult<void>>{};
  const auto names = detail::streams_of(appends);
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<PostgresStatement> look = {
      {"BEGIN ISOLATION LEVEL READ COMMITTED"},
      {std::string(select_heads) + " FOR UPDATE", {PostgresValue::array(views)}}};
  const auto taking = snapshotted(appends);
  if (!taking.empty()) {
    look.push_back({"SELECT stream, sequence FROM snapshots WHERE stream = ANY($1)",
                    {PostgresValue::array(taking)}});
  }
  const std::lock_guard lock(appends_.mutex);
  auto found = appends_.connection.run(look);
  if (!found) return failed(found);
  auto plan = detail::plan_appends(appends, heads_of((*found)[1]));
  if (plan.rows.empty() && plan.snapshots.empty()) {
    appends_.connection.rollback();
  } else if (auto ok = write(appends_.connection, plan,
                             taking.empty() ? Sequences{} : sequences_of((*found)[2]));
             !ok) {
    return failed(ok);
  }
  return std::move(plan.results);
}

StorageResult<void> PostgresStreams::write(detail::PostgresConnection& connection,
                                           const detail::AppendPlan& plan, Sequences snapshots) {
  std::vector<std::string_view> streams, request_ids, payloads, outcomes;
  std::vector<std::uint64_t> sequences, views, counters, chains;
  for (const auto& row : plan.rows) {
    streams.push_back(row.append->stream);
    sequences.push_back(row.sequence);
    views.push_back(row.append->epoch.view);
    counters.push_back(row.append->epoch.counter);
    request_ids.push_back(row.source().request_id);
    payloads.push_back(row.source().payload);
    outcomes.push_back(row.source().outcome);
    chains.push_back(row.chain);
  }
  std::vector<std::string_view> moved;
  std::vector<std::uint64_t> last_sequences, last_chains;
  for (const auto& [stream, head] : plan.heads) {
    moved.push_back(stream);
    last_sequences.push_back(head.sequence);
    last_chains.push_back(head.chain);
  }
  std::vector<PostgresStatement> statements = {
      {"INSERT INTO events SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
       {PostgresValue::array(streams), PostgresValue::array(sequences), PostgresValue::array(views),
        PostgresValue::array(counters), PostgresValue::array(request_ids),
        PostgresValue::array(payloads), PostgresValue::array(outcomes),
        PostgresValue::array(chains)}},
      {"UPDATE fences SET sequence = n, chain = c FROM unnest($1, $2, $3) AS moved(s, n, c) WHERE "
       "stream = s",
       {PostgresValue::array(moved), PostgresValue::array(last_sequences),
        PostgresValue::array(last_chains)}}};
  for (const auto& taken : plan.snapshots) {
    auto& stored = snapshots[taken.append->stream];
    const auto retention = detail::retain(stored, taken);
    stored.push_back(taken.sequence);
    const auto snapshot = detail::stored_form(taken, retention);
    const auto name = PostgresValue::of(std::string_view(taken.append->stream));
    statements.push_back(
        {"INSERT INTO snapshots VALUES($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (stream, "
         "sequence) DO UPDATE SET view = excluded.view, counter = excluded.counter, state = "
         "excluded.state, chain = excluded.chain, trimmed = excluded.trimmed, crc = excluded.crc",
         {name, PostgresValue::of(snapshot.sequence), PostgresValue::of(snapshot.epoch.view),
          PostgresValue::of(snapshot.epoch.counter),
          PostgresValue::of(std::string_view(snapshot.state)),
          PostgresValue::of(std::uint64_t{snapshot.chain}), PostgresValue::of(snapshot.trimmed),
          PostgresValue::of(std::uint64_t{snapshot.checksum})}});
    statements.push_back({"DELETE FROM snapshots WHERE stream = $1 AND sequence < $2",
                          {name, PostgresValue::of(retention.snapshots_below)}});
    if (retention.trimmed == 0) continue;
    statements.push_back({"DELETE FROM events WHERE stream = $1 AND sequence <= $2",
                          {name, PostgresValue::of(retention.trimmed)}});
  }
  statements.push_back({"COMMIT"});
  auto done = connection.run(statements, true);
  if (!done) return failed(done);
  return {};
}

StorageResult<std::vector<Event>> PostgresStreams::read(std::string_view stream) {
  if (auto ok = detail::check_stream(stream); !ok) return failed(ok);
  const auto name = PostgresValue::array(std::span(&stream, 1));
  const std::vector<PostgresStatement> statements = {
      {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
      {select_heads, {name}},
      {select_snapshots, {name}},
      {select_events, {name}},
      {"COMMIT"}};
  const std::lock_guard lock(opens_.mutex);
  auto rows = opens_.connection.run(statements);
  if (!rows) return failed(rows);
  const std::string key(stream);
  return whole(
      key, heads_of((*rows)[1])[key],
      detail::verify_all(key, {events_of((*rows)[3])[key], snapshots_of((*rows)[2])[key]}));
}

StorageResult<std::vector<std::string>> PostgresStreams::list(std::string_view prefix) {
  const auto end = detail::end_of_prefix(prefix);
  PostgresStatement statement{"SELECT stream FROM fences WHERE stream >= $1",
                              {PostgresValue::of(prefix)}};
  if (end) {
    statement.sql += " AND stream < $2";
    statement.values.push_back(PostgresValue::of(std::string_view(*end)));
  }
  statement.sql += " ORDER BY stream";
  const std::lock_guard lock(opens_.mutex);
  auto rows = opens_.connection.run({&statement, 1});
  if (!rows) return failed(rows);
  std::vector<std::string> streams;
  for (int row = 0; row < rows->front().size(); ++row) {
    streams.emplace_back(rows->front().bytes(row, 0));
  }
  return streams;
}

}  // namespace coterie
