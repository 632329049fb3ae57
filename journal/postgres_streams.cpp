#include "journal/postgres_streams.hpp"

#include <map>
#include <utility>

#include "journal/records_core.hpp"

namespace coterie {
namespace {

using detail::PostgresRows;
using detail::PostgresStatement;
using detail::PostgresValue;
using detail::StoredEvent;
using detail::StreamHead;

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

constexpr const char* select_heads =
    "SELECT stream, view, counter, sequence, chain FROM fences WHERE stream = ANY($1)"
    " ORDER BY stream";
constexpr const char* select_events =
    "SELECT stream, sequence, view, counter, request_id, payload, outcome, chain FROM events"
    " WHERE stream = ANY($1) ORDER BY stream, sequence";

detail::StreamHeads heads_of(const PostgresRows& rows) {
  detail::StreamHeads heads;
  for (int row = 0; row < rows.size(); ++row) {
    heads.emplace(std::string(rows.bytes(row, 0)),
                  StreamHead{.fence = {rows.number(row, 1), rows.number(row, 2)},
                             .owned = true,
                             .sequence = rows.number(row, 3),
                             .chain = static_cast<std::uint32_t>(rows.number(row, 4))});
  }
  return heads;
}

std::map<std::string, std::vector<StoredEvent>, std::less<>> events_of(const PostgresRows& rows) {
  std::map<std::string, std::vector<StoredEvent>, std::less<>> events;
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

/// The events of one stream, if they end where its row says.
StorageResult<std::vector<Event>> whole(const std::string& stream, const StreamHead& head,
                                        std::vector<StoredEvent> events) {
  auto verified = detail::verify(stream, std::move(events));
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
       "bytea NOT NULL, chain int8 NOT NULL, PRIMARY KEY(stream, sequence))"}};
  if (auto ok = self->opens_.connection.prepare_schema("events", create); !ok) return failed(ok);
  return self;
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
  detail::StreamHeads heads;
  std::map<std::string, std::vector<StoredEvent>, std::less<>> events;
  if (!streams.empty()) {
    const auto names = PostgresValue::array(streams);
    const std::vector<PostgresStatement> statements = {
        {"BEGIN ISOLATION LEVEL READ COMMITTED"},
        {"INSERT INTO fences SELECT s, v, c, 0, 0 FROM unnest($1, $2, $3) AS wanted(s, v, c) ON "
         "CONFLICT (stream) DO UPDATE SET view = excluded.view, counter = excluded.counter WHERE "
         "(fences.view, fences.counter) <= (excluded.view, excluded.counter)",
         {names, PostgresValue::array(views), PostgresValue::array(counters)}},
        {select_heads, {names}},
        {select_events, {names}},
        {"COMMIT"}};
    const std::lock_guard lock(opens_.mutex);
    auto rows = opens_.connection.run(statements, true);
    if (!rows) return failed(rows);
    heads = heads_of((*rows)[2]);
    events = events_of((*rows)[3]);
  }
  std::vector<StorageResult<std::vector<Event>>> results;
  results.reserve(openings.size());
  for (const auto& [stream, epoch] : openings) {
    if (auto ok = detail::check_opening(stream, epoch); !ok) {
      results.emplace_back(failed(ok));
    } else if (const auto& head = heads[stream]; head.fence != epoch) {
      results.emplace_back(std::unexpected(detail::fenced(stream, epoch, head.fence)));
    } else {
      results.push_back(whole(stream, head, events[stream]));
    }
  }
  return results;
}

StorageResult<std::vector<StorageResult<void>>> PostgresStreams::append(
    std::span<const Append> appends) {
  if (appends.empty()) return std::vector<StorageResult<void>>{};
  const auto names = detail::streams_of(appends);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::vector<PostgresStatement> look = {
      {"BEGIN ISOLATION LEVEL READ COMMITTED"},
      {std::string(select_heads) + " FOR UPDATE", {PostgresValue::array(views)}}};
  const std::lock_guard lock(appends_.mutex);
  auto found = appends_.connection.run(look);
  if (!found) return failed(found);
  auto plan = detail::plan_appends(appends, heads_of((*found)[1]));
  if (plan.rows.empty()) {
    appends_.connection.rollback();
  } else if (auto ok = write(appends_.connection, plan); !ok) {
    return failed(ok);
  }
  return std::move(plan.results);
}

StorageResult<void> PostgresStreams::write(detail::PostgresConnection& connection,
                                           const detail::AppendPlan& plan) {
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
  const std::vector<PostgresStatement> statements = {
      {"INSERT INTO events SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
       {PostgresValue::array(streams), PostgresValue::array(sequences), PostgresValue::array(views),
        PostgresValue::array(counters), PostgresValue::array(request_ids),
        PostgresValue::array(payloads), PostgresValue::array(outcomes),
        PostgresValue::array(chains)}},
      {"UPDATE fences SET sequence = n, chain = c FROM unnest($1, $2, $3) AS moved(s, n, c) WHERE "
       "stream = s",
       {PostgresValue::array(moved), PostgresValue::array(last_sequences),
        PostgresValue::array(last_chains)}},
      {"COMMIT"}};
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
      {select_events, {name}},
      {"COMMIT"}};
  const std::lock_guard lock(opens_.mutex);
  auto rows = opens_.connection.run(statements);
  if (!rows) return failed(rows);
  const std::string key(stream);
  return whole(key, heads_of((*rows)[1])[key], events_of((*rows)[2])[key]);
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
