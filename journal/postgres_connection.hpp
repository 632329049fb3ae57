#pragma once
// One connection to PostgreSQL: bounded in time, opened again after it is lost, checked each time
// it is opened. Statements go out in pipelines, so a transaction costs two round trips. One thread
// at a time: the owner locks. The only place that includes libpq.

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "process/ports/storage.hpp"

struct pg_conn;
struct pg_result;

namespace coterie {

struct PostgresOptions {
  std::string conninfo;    // as libpq takes it
  std::string cluster_id;  // names the schema: coterie_<cluster_id>
  /// The server ends a statement after this; we give up half as much later, so the server's word
  /// comes first. Looking up the server's name is not covered: use hostaddr where that matters.
  std::chrono::milliseconds wait{1000};
};

namespace detail {

/// A parameter in PostgreSQL's binary form.
struct PostgresValue {
  unsigned type = 0;  // its object id
  std::string bytes{};

  static PostgresValue of(std::string_view bytes);
  static PostgresValue of(std::uint64_t number);
  static PostgresValue array(std::span<const std::string_view> elements);
  static PostgresValue array(std::span<const std::uint64_t> elements);
};

struct PostgresStatement {
  std::string sql;
  std::vector<PostgresValue> values{};
};

class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result) : result_(result) {}
  int size() const;
  std::string_view bytes(int row, int column) const;
  std::uint64_t number(int row, int column) const;  // of a column of type int8

 private:
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

class PostgresConnection {
 public:
  explicit PostgresConnection(PostgresOptions options);

  /// Runs the statements in order and returns the rows of each. After an error the transaction is
  /// rolled back. Set `commits` when COMMIT is among them: if its answer is lost the error says
  /// maybe_applied.
  StorageResult<std::vector<PostgresRows>> run(std::span<const PostgresStatement> statements,
                                               bool commits = false);
  void rollback() noexcept;

  /// Makes schema and tables if they are missing; the statements create tables in the schema.
  StorageResult<void> prepare_schema(std::string_view table,
                                     std::span<const PostgresStatement> create);

  /// What is allowed but dangerous about the server.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  StorageResult<void> connect();
  StorageResult<void> dial();
  StorageResult<void> check_server();
  StorageResult<std::vector<PostgresRows>> exchange(std::span<const PostgresStatement> statements,
                                                    bool commits);
  StorageResult<void> send(std::span<const PostgresStatement> statements);
  StorageResult<void> wait_for(short events);
  StorageResult<pg_result*> next_result();
  StorageError lost(std::string what);
  StorageError refused(const pg_result* result) const;
  std::string schema() const;

  PostgresOptions options_;
  std::unique_ptr<pg_conn, Finish> connection_;
  std::chrono::milliseconds back_off_{0};  // before the next attempt to connect
  std::vector<std::string> warnings_;
};

}  // namespace detail
}  // namespace coterie
