#pragma once
// Records in PostgreSQL: a table per store. A transaction-level advisory lock per store makes the
// order of versions the order of commits. Every commit is durable, also those that need not be.
// All functions may be called from any thread; one connection, one statement at a time.

#include <memory>
#include <mutex>
#include <string>

#include "journal/postgres_connection.hpp"
#include "journal/records_core.hpp"

namespace coterie {

class PostgresRecords final : public Records {
 public:
  /// `table` is a plain lower-case word.
  static StorageResult<std::unique_ptr<PostgresRecords>> open(const PostgresOptions& options,
                                                              std::string table);

  StorageResult<std::optional<Record>> read(std::string_view key) override;
  /// One statement, so all are of one moment.
  StorageResult<std::vector<std::optional<Record>>> read_many(
      std::span<const std::string> keys) override;
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override;
  StorageResult<std::vector<Record>> scan_page(std::string_view prefix, std::string_view after,
                                               std::size_t limit) override;
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override;

  /// What is allowed but dangerous about the server, found when the connection was opened last.
  std::vector<std::string> warnings();

 private:
  PostgresRecords(const PostgresOptions& options, std::string table)
      : table_(std::move(table)), connection_(options) {}
  StorageResult<std::vector<Record>> select(detail::PostgresStatement statement);
  StorageResult<void> write(const detail::RecordsPlan& plan);

  const std::string table_;
  std::mutex mutex_;
  detail::PostgresConnection connection_;
};

}  // namespace coterie
