#pragma once
// Records in one SQLite file, shared by the processes of one host. One connection writes and one
// reads, each behind its own lock, so a read does not wait for another thread's commit to reach the
// disk. All functions may be called from any thread.

#include <memory>
#include <mutex>

#include "journal/records_core.hpp"
#include "journal/sqlite_connection.hpp"
#include "journal/sqlite_file.hpp"

namespace coterie {

class SqliteRecords final : public Records {
 public:
  /// Makes the file if it is missing; its directory must exist. `file.kind` is not `journal`.
  static StorageResult<std::unique_ptr<SqliteRecords>> open(const detail::SqliteFile& file);

  StorageResult<std::optional<Record>> read(std::string_view key) override;
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override;
  StorageResult<std::vector<Record>> scan_page(std::string_view prefix, std::string_view after,
                                               std::size_t limit) override;
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override;

 private:
  struct Reader {
    std::mutex mutex;
    detail::SqliteConnection connection;
    detail::SqliteStatement one, from, between;
  };
  struct Writer {
    std::mutex mutex;
    detail::SqliteConnection connection;
    detail::SqliteStatement one, counter, put, erase, set_counter;
    bool full = true;  // PRAGMA synchronous of the connection is FULL, else NORMAL
  };
  SqliteRecords() = default;
  StorageResult<void> prepare();
  StorageResult<void> set_durable(bool durable);
  StorageResult<void> write(const detail::RecordsPlan& plan);

  Reader reader_;
  Writer writer_;
};

}  // namespace coterie
