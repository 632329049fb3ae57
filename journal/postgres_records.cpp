#include "journal/postgres_records.hpp"

#include <limits>
#include <unordered_map>
#include <utility>

namespace coterie {
namespace {

using detail::PostgresRows;
using detail::PostgresStatement;
using detail::PostgresValue;

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

/// Columns: key, version, value, crc.
StorageResult<std::vector<Record>> records_of(const PostgresRows& rows, const std::string& table) {
  std::vector<Record> records;
  for (int row = 0; row < rows.size(); ++row) {
    Record record{std::string(rows.bytes(row, 0)), rows.number(row, 1), Bytes(rows.bytes(row, 2))};
    if (detail::checksum(record) != rows.number(row, 3)) {
      return std::unexpected(StorageError{
          StorageError::Code::corrupt, "PostgreSQL table " + table + ": the checksum of record '" +
                                           record.key +
                                           "' does not fit; it was changed by somebody else. "
                                           "Restore it from a backup"});
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

StorageResult<std::unique_ptr<PostgresRecords>> PostgresRecords::open(
    const PostgresOptions& options, std::string table) {
  std::unique_ptr<PostgresRecords> self(new PostgresRecords(options, std::move(table)));
  const auto& name = self->table_;
  const std::vector<PostgresStatement> create = {
      {"CREATE TABLE IF NOT EXISTS " + name +
       "(key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL, crc int8 NOT NULL)"},
      {"CREATE TABLE IF NOT EXISTS " + name + "_counter(value int8 NOT NULL)"},
      {"INSERT INTO " + name + "_counter SELECT 0 WHERE NOT EXISTS (SELECT FROM " + name +
       "_counter)"}};
  if (auto ok = self->connection_.prepare_schema(name, create); !ok) return failed(ok);
  return self;
}

std::vector<std::string> PostgresRecords::warnings() {
  const std::lock_guard lock(mutex_);
  return connection_.warnings();
}

StorageResult<std::vector<Record>> PostgresRecords::select(PostgresStatement statement) {
  statement.sql = "SELECT key, version, value, crc FROM " + table_ + statement.sql;
  const std::lock_guard lock(mutex_);
  auto rows = connection_.run({&statement, 1});
  if (!rows) return failed(rows);
  return records_of(rows->front(), table_);
}

StorageResult<std::optional<Record>> PostgresRecords::read(std::string_view key) {
  auto records = select({" WHERE key = $1", {PostgresValue::of(key)}});
  if (!records) return failed(records);
  if (records->empty()) return std::nullopt;
  return std::move(records->front());
}

StorageResult<std::vector<std::optional<Record>>> PostgresRecords::read_many(
    std::span<const std::string> keys) {
  if (keys.empty()) return std::vector<std::optional<Record>>{};
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  auto found = select({" WHERE key = ANY($1)", {PostgresValue::array(views)}});
  if (!found) return failed(found);
  std::unordered_map<std::string_view, const Record*> by_key;
  for (const Record& record : *found) by_key.emplace(record.key, &record);
  std::vector<std::optional<Record>> records;
  records.reserve(keys.size());
  for (const std::string& key : keys) {
    const auto record = by_key.find(key);
    records.push_back(record == by_key.end() ? std::nullopt : std::optional(*record->second));
  }
  return records;
}

StorageResult<std::vector<Record>> PostgresRecords::scan(std::string_view prefix) {
  return scan_page(prefix, {}, std::numeric_limits<std::int64_t>::max());
}

StorageResult<std::vector<Record>> PostgresRecords::scan_page(std::string_view prefix,
                                                              std::string_view after,
                                                              std::size_t limit) {
  const std::string from = detail::begin_of_page(prefix, after);
  const auto begin = PostgresValue::of(std::string_view(from));
  const std::string most = " ORDER BY key LIMIT " + std::to_string(limit);
  if (const auto end = detail::end_of_prefix(prefix)) {
    return select({" WHERE key >= $1 AND key < $2" + most,
                   {begin, PostgresValue::of(std::string_view(*end))}});
  }
  return select({" WHERE key >= $1" + most, {begin}});
}

StorageResult<std::vector<TransactionResult>> PostgresRecords::commit(
    std::span<const Transaction> transactions) {
  for (const auto& transaction : transactions) {
    if (auto ok = detail::check(transaction); !ok) return failed(ok);
  }
  if (transactions.empty()) return std::vector<TransactionResult>{};
  const auto keys = detail::keys_of(transactions);
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  const std::vector<PostgresStatement> look = {
      {"BEGIN ISOLATION LEVEL READ COMMITTED"},
      {"SELECT pg_advisory_xact_lock('" + table_ + "'::regclass::oid::int8)"},
      {"SELECT value FROM " + table_ + "_counter"},
      {"SELECT key, version, value, crc FROM " + table_ + " WHERE key = ANY($1)",
       {PostgresValue::array(views)}}};
  const std::lock_guard lock(mutex_);
  auto found = connection_.run(look);
  if (!found) return failed(found);
  auto records = records_of((*found)[3], table_);
  if (!records) {
    connection_.rollback();
    return failed(records);
  }
  detail::RecordTable current;
  for (auto& record : *records) {
    std::string key = record.key;
    current.emplace(std::move(key), std::move(record));
  }
  const auto counter = (*found)[2].number(0, 0);
  auto plan = detail::plan(transactions, std::move(current), counter);
  if (plan.counter == counter) {
    connection_.rollback();  // nothing to write
  } else if (auto ok = write(plan); !ok) {
    return failed(ok);
  }
  return std::move(plan.results);
}

StorageResult<void> PostgresRecords::write(const detail::RecordsPlan& plan) {
  std::vector<std::string_view> erased;
  std::vector<std::string_view> keys;
  std::vector<std::uint64_t> versions;
  std::vector<std::string_view> values;
  std::vector<std::uint64_t> checksums;
  for (const auto& [key, record] : plan.changed) {
    if (!record) {
      erased.push_back(key);
      continue;
    }
    keys.push_back(key);
    versions.push_back(record->version);
    values.push_back(record->value);
    checksums.push_back(detail::checksum(*record));
  }
  std::vector<PostgresStatement> statements;
  if (!erased.empty()) {
    statements.push_back(
        {"DELETE FROM " + table_ + " WHERE key = ANY($1)", {PostgresValue::array(erased)}});
  }
  if (!keys.empty()) {
    statements.push_back({"INSERT INTO " + table_ +
                              " SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE "
                              "SET version = excluded.version, value = excluded.value, crc = "
                              "excluded.crc",
                          {PostgresValue::array(keys), PostgresValue::array(versions),
                           PostgresValue::array(values), PostgresValue::array(checksums)}});
  }
  statements.push_back(
      {"UPDATE " + table_ + "_counter SET value = $1", {PostgresValue::of(plan.counter)}});
  statements.push_back({"COMMIT"});
  auto done = connection_.run(statements, true);
  if (!done) return failed(done);
  return {};
}

}  // namespace coterie
