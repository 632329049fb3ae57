#pragma once
// SQLite's C interface as values that clean up after themselves, and its result codes as
// StorageErrors that say which file, what was tried and what to do. The only place that includes
// sqlite3.h. A connection and its statements belong to one thread at a time: the owner locks.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "process/ports/storage.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace coterie::detail {

class SqliteStatement {
 public:
  /// Marks an argument as bytes that are not text.
  struct Blob {
    std::string_view bytes;
  };

  SqliteStatement() = default;

  /// Runs the statement with `arguments` bound in order and calls `row(*this)` for each row. The
  /// statement is reset before this returns, so it never holds a snapshot between two calls.
  template <class Row, class... Arguments>
  StorageResult<void> query(Row&& row, const Arguments&... arguments) {
    int index = 0;
    (bind(++index, arguments), ...);
    while (true) {
      auto more = step();
      if (!more || !*more) {
        reset();
        if (!more) return std::unexpected(std::move(more.error()));
        return {};
      }
      row(*this);
    }
  }
  template <class... Arguments>
  StorageResult<void> run(const Arguments&... arguments) {
    return query([](SqliteStatement&) {}, arguments...);
  }

  // Columns of the current row, from 0. Views live until the next step.
  std::uint64_t number(int column) const;
  std::string_view bytes(int column) const;

 private:
  friend class SqliteConnection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };

  void bind(int index, std::uint64_t number);
  void bind(int index, std::string_view text);
  void bind(int index, const Blob& blob);
  StorageResult<bool> step();
  void reset();

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const std::string* path_ = nullptr;
};

using SqliteBlob = SqliteStatement::Blob;

class SqliteConnection {
 public:
  /// Opens an existing file for reading and writing. A lock held by another connection is waited
  /// for about `busy_wait`, then the answer is `unavailable`. `vfs`: that of
  /// sqlite_gather.hpp, or none for SQLite's default.
  static StorageResult<SqliteConnection> open(std::string path, std::chrono::milliseconds busy_wait,
                                              const char* vfs = nullptr);

  StorageResult<void> execute(const char* sql);
  StorageResult<SqliteStatement> prepare(std::string_view sql);
  const std::string& path() const noexcept { return *path_; }

  /// The file was renamed, replaced or deleted under this connection: what is written is lost.
  bool moved();

  /// Takes the write lock (BEGIN IMMEDIATE); `unavailable` when the file was moved.
  StorageResult<void> begin();
  /// An error leaves the transaction rolled back.
  StorageResult<void> commit();
  void rollback() noexcept;

 private:
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  std::unique_ptr<std::string>
      path_;  // at a stable address: statements and the handler point to it
  std::unique_ptr<std::chrono::milliseconds> busy_wait_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// A write transaction that is rolled back unless it is committed.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteConnection& connection) : connection_(&connection) {}
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  ~SqliteTransaction() {
    if (open_) connection_->rollback();
  }
  StorageResult<void> begin() {
    auto begun = connection_->begin();
    open_ = begun.has_value();
    return begun;
  }
  /// What is read until the end is of one moment, that of the first statement.
  StorageResult<void> begin_reading() {
    auto begun = connection_->execute("BEGIN");
    open_ = begun.has_value();
    return begun;
  }
  StorageResult<void> commit() {
    open_ = false;
    return connection_->commit();
  }

 private:
  SqliteConnection* connection_;
  bool open_ = false;
};

}  // namespace coterie::detail
