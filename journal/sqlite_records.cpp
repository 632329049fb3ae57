#include "journal/sqlite_records.hpp"

#include <algorithm>
#include <limits>

#include "journal/checksum.hpp"

namespace coterie {
namespace {

using detail::SqliteBlob;
using detail::SqliteStatement;

StorageError damaged(const std::string& path, std::string_view what) {
  return {StorageError::Code::corrupt,
          "SQLite file '" + path + "': the checksum of " + std::string(what) +
              " does not fit; it was changed on disk. Restore the file from a backup"};
}

/// Columns: key, version, value, crc. Collects rows until one does not fit its checksum.
struct Collector {
  std::vector<Record> records;
  std::string damaged_key;
  bool any_damaged = false;

  void operator()(SqliteStatement& row) {
    Record record{std::string(row.bytes(0)), row.number(1), Bytes(row.bytes(2))};
    if (detail::checksum(record) != row.number(3)) {
      any_damaged = true;
      damaged_key = record.key;
      return;
    }
    records.push_back(std::move(record));
  }
  StorageResult<void> check(const std::string& path) const {
    if (!any_damaged) return {};
    return std::unexpected(damaged(path, "record '" + damaged_key + "'"));
  }
};

}  // namespace

StorageResult<std::unique_ptr<SqliteRecords>> SqliteRecords::open(const detail::SqliteFile& file) {
  if (auto ok = detail::create_file(file); !ok) return std::unexpected(std::move(ok.error()));
  auto reader = detail::open_file(file);
  if (!reader) return std::unexpected(std::move(reader.error()));
  auto writer = detail::open_file(file);
  if (!writer) return std::unexpected(std::move(writer.error()));
  std::unique_ptr<SqliteRecords> self(new SqliteRecords);
  self->reader_.connection = std::move(*reader);
  self->writer_.connection = std::move(*writer);
  if (auto ok = self->prepare(); !ok) return std::unexpected(std::move(ok.error()));
  // Fail now, not at the first renewal, when the file cannot be written.
  detail::SqliteTransaction probe(self->writer_.connection);
  if (auto ok = probe.begin(); !ok) return std::unexpected(std::move(ok.error()));
  return self;
}

StorageResult<void> SqliteRecords::prepare() {
  constexpr std::string_view select = "SELECT key, version, value, crc FROM records WHERE ";
  const auto text = [&](std::string_view condition) {
    return std::string(select) + std::string(condition);
  };
  const auto set = [](SqliteStatement& target, detail::SqliteConnection& connection,
                      std::string_view sql) -> StorageResult<void> {
    auto statement = connection.prepare(sql);
    if (!statement) return std::unexpected(std::move(statement.error()));
    target = std::move(*statement);
    return {};
  };
  auto& r = reader_;
  auto& w = writer_;
  StorageResult<void> ok;
  if (!(ok = set(r.one, r.connection, text("key = ?")))) return ok;
  if (!(ok = set(r.from, r.connection, text("key >= ? ORDER BY key LIMIT ?")))) return ok;
  if (!(ok = set(r.between, r.connection, text("key >= ? AND key < ? ORDER BY key LIMIT ?")))) {
    return ok;
  }
  if (!(ok = set(w.one, w.connection, text("key = ?")))) return ok;
  if (!(ok = set(w.counter, w.connection, "SELECT value FROM counter WHERE id = 1"))) return ok;
  if (!(ok = set(w.put, w.connection, "INSERT OR REPLACE INTO records VALUES(?, ?, ?, ?)")))
    return ok;
  if (!(ok = set(w.erase, w.connection, "DELETE FROM records WHERE key = ?"))) return ok;
  return set(w.set_counter, w.connection, "UPDATE counter SET value = ? WHERE id = 1");
}

StorageResult<std::optional<Record>> SqliteRecords::read(std::string_view key) {
  const std::lock_guard lock(reader_.mutex);
  Collector found;
  if (auto ok = reader_.one.query(found, key); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = found.check(reader_.connection.path()); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  if (found.records.empty()) return std::nullopt;
  return std::move(found.records.front());
}

StorageResult<std::vector<Record>> SqliteRecords::scan(std::string_view prefix) {
  return scan_page(prefix, {}, std::numeric_limits<std::int64_t>::max());
}

StorageResult<std::vector<Record>> SqliteRecords::scan_page(std::string_view prefix,
                                                            std::string_view after,
                                                            std::size_t limit) {
  const std::lock_guard lock(reader_.mutex);
  Collector found;
  const auto end = detail::end_of_prefix(prefix);
  const std::string from = detail::begin_of_page(prefix, after);
  const std::string_view begin = from;
  auto ok = end ? reader_.between.query(found, begin, std::string_view(*end), std::uint64_t{limit})
                : reader_.from.query(found, begin, std::uint64_t{limit});
  if (ok) ok = found.check(reader_.connection.path());
  if (!ok) return std::unexpected(std::move(ok.error()));
  return std::move(found.records);
}

StorageResult<std::vector<TransactionResult>> SqliteRecords::commit(
    std::span<const Transaction> transactions) {
  for (const auto& transaction : transactions) {
    if (auto ok = detail::check(transaction); !ok) return std::unexpected(std::move(ok.error()));
  }
  if (transactions.empty()) return std::vector<TransactionResult>{};

  const std::lock_guard lock(writer_.mutex);
  const bool durable = std::ranges::any_of(
      transactions, [](const Transaction& transaction) { return transaction.durable; });
  if (auto ok = set_durable(durable); !ok) return std::unexpected(std::move(ok.error()));
  detail::SqliteTransaction transaction(writer_.connection);
  if (auto ok = transaction.begin(); !ok) return std::unexpected(std::move(ok.error()));

  Collector found;
  for (const auto& key : detail::keys_of(transactions)) {
    if (auto ok = writer_.one.query(found, std::string_view(key)); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
  }
  if (auto ok = found.check(writer_.connection.path()); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  std::uint64_t counter = 0;
  if (auto ok = writer_.counter.query([&](SqliteStatement& row) { counter = row.number(0); });
      !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  detail::RecordTable current;
  for (auto& record : found.records) {
    if (record.version > counter) {
      return std::unexpected(damaged(writer_.connection.path(), "the counter of versions"));
    }
    std::string key = record.key;
    current.emplace(std::move(key), std::move(record));
  }
  auto plan = detail::plan(transactions, std::move(current), counter);
  if (plan.counter == counter) return std::move(plan.results);  // nothing to write
  if (auto ok = write(plan); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = transaction.commit(); !ok) return std::unexpected(std::move(ok.error()));
  return std::move(plan.results);
}

StorageResult<void> SqliteRecords::set_durable(bool durable) {
  if (writer_.full == durable) return {};
  auto done =
      writer_.connection.execute(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (done) writer_.full = durable;
  return done;
}

StorageResult<void> SqliteRecords::write(const detail::RecordsPlan& plan) {
  for (const auto& [key, record] : plan.changed) {
    auto ok =
        record ? writer_.put.run(std::string_view(key), record->version, SqliteBlob{record->value},
                                 std::uint64_t{detail::checksum(*record)})
               : writer_.erase.run(std::string_view(key));
    if (!ok) return ok;
  }
  return writer_.set_counter.run(plan.counter);
}

}  // namespace coterie
