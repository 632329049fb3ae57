#include "journal/sqlite_connection.hpp"

#include <sqlite3.h>

#include <cstring>

namespace coterie::detail {
namespace {

using Code = StorageError::Code;

std::string advice(int primary, int wait_ms) {
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process held its lock for longer than " +
             (wait_ms > 0 ? std::to_string(wait_ms) + " ms" : std::string("the bound")) +
             "; it is busy or stopped. Try again; if it stays so, look for a stopped process";
    case SQLITE_FULL:
      return "there is no space left for it. Free some; writing then goes on by itself";
    case SQLITE_READONLY:
      return "it or its directory is read-only. Make both writable for the node";
    case SQLITE_CANTOPEN:
      return "it cannot be opened. Check that the directory exists, and that it and the files "
             "beside this one (-wal, -shm) are writable for the node";
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "access is not permitted. Make it readable and writable for the node";
    case SQLITE_CORRUPT:
      return "its pages are damaged. Stop the nodes, keep a copy, and restore it from a backup";
    case SQLITE_NOTADB:
      return "it is not an SQLite database, or its first page is damaged. Restore it from a "
             "backup, or name another directory";
    case SQLITE_IOERR:
      return "the system reported an input or output error. Check the disk and the system's log";
    case SQLITE_CONSTRAINT:
      return "another connection of the same node wrote the same rows";
    default:
      return "SQLite refused it";
  }
}

Code code_of(int primary) {
  switch (primary) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_CONSTRAINT:
      return Code::conflict;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
      return Code::misuse;
    default:
      return Code::unavailable;
  }
}

StorageError error_of(sqlite3* connection, const std::string& path, std::string_view tried,
                      int wait_ms = 0) {
  const int extended = sqlite3_extended_errcode(connection);
  const int primary = extended & 0xFF;
  std::string message = "SQLite file '" + path + "', " + std::string(tried) + ": " +
                        advice(primary, wait_ms) + " (" + sqlite3_errmsg(connection);
  message += ", code " + std::to_string(extended);
  if (const int system = sqlite3_system_errno(connection); system != 0) {
    message += std::string(", ") + std::strerror(system);  // NOLINT(concurrency-mt-unsafe)
  }
  return {code_of(primary), message + ")"};
}

/// Polls a held lock more often than SQLite's own handler does: an opener then slips between two
/// commits of an owner that writes at full speed. Each wait ends a little late, so the sum is a
/// lower bound.
int on_busy(void* wait, int tries) {
  const auto limit = static_cast<int>(static_cast<const std::chrono::milliseconds*>(wait)->count());
  if (tries >= limit) return 0;
  sqlite3_sleep(1);
  return 1;
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

// A failed bind (no memory, too big) leaves NULL, which the NOT NULL columns refuse at the step.
void SqliteStatement::bind(int index, std::uint64_t number) {
  sqlite3_bind_int64(statement_.get(), index, static_cast<sqlite3_int64>(number));
}

void SqliteStatement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), index, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void SqliteStatement::bind(int index, const Blob& blob) {
  sqlite3_bind_blob64(statement_.get(), index, blob.bytes.empty() ? "" : blob.bytes.data(),
                      blob.bytes.size(), SQLITE_STATIC);
}

StorageResult<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(
      error_of(sqlite3_db_handle(statement_.get()), *path_,
               sqlite3_stmt_readonly(statement_.get()) != 0 ? "reading" : "writing"));
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::uint64_t SqliteStatement::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string_view SqliteStatement::bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(bytes), bytes == nullptr ? 0 : static_cast<std::size_t>(size)};
}

void SqliteConnection::Close::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}

StorageResult<SqliteConnection> SqliteConnection::open(std::string path,
                                                       std::chrono::milliseconds busy_wait,
                                                       const char* vfs) {
  SqliteConnection self;
  self.path_ = std::make_unique<std::string>(std::move(path));
  self.busy_wait_ = std::make_unique<std::chrono::milliseconds>(busy_wait);
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(self.path_->c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
  self.connection_.reset(raw);
  if (raw == nullptr) {
    return std::unexpected(
        StorageError{Code::unavailable, "SQLite has no memory to open '" + *self.path_ + "'"});
  }
  if (code != SQLITE_OK) return std::unexpected(error_of(raw, *self.path_, "opening"));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_handler(raw, on_busy, self.busy_wait_.get());
  // FULL is what "durable before it returns" rests on; it is the default, but not everywhere.
  if (auto ok = self.execute("PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; "
                             "PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=67108864");
      !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  // Pages go to the log with the commit and not before: what is gathered of a transaction that is
  // undone would be handed over later, over what others have committed meanwhile.
  if (vfs != nullptr) {
    if (auto ok = self.execute("PRAGMA cache_spill=OFF"); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
  }
  return self;
}

StorageResult<void> SqliteConnection::execute(const char* sql) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(error_of(connection_.get(), *path_, std::string("'") + sql + "'",
                                  static_cast<int>(busy_wait_->count())));
}

StorageResult<SqliteStatement> SqliteConnection::prepare(std::string_view sql) {
  SqliteStatement statement;
  statement.path_ = path_.get();
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  statement.statement_.reset(raw);
  if (code == SQLITE_OK) return statement;
  return std::unexpected(error_of(connection_.get(), *path_, "'" + std::string(sql) + "'",
                                  static_cast<int>(busy_wait_->count())));
}

bool SqliteConnection::moved() {
  int moved = 0;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

StorageResult<void> SqliteConnection::begin() {
  if (moved()) {
    return std::unexpected(StorageError{
        Code::unavailable, "SQLite file '" + *path_ +
                               "' was deleted, renamed or replaced while it was in use. Put it "
                               "back and restart the node"});
  }
  return execute("BEGIN IMMEDIATE");
}

StorageResult<void> SqliteConnection::commit() {
  auto done = execute("COMMIT");
  if (done) return done;
  // An input or output error may come after the commit was written and before it was synced: a
  // later recovery could find it. Every other error means that it was not written.
  done.error().maybe_applied = (sqlite3_extended_errcode(connection_.get()) & 0xFF) == SQLITE_IOERR;
  rollback();
  return done;
}

void SqliteConnection::rollback() noexcept {
  if (sqlite3_get_autocommit(connection_.get()) == 0) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace coterie::detail
