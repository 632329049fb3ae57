#include "journal/postgres_connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <optional>

namespace coterie::detail {
namespace {

using Code = StorageError::Code;

constexpr unsigned bytea_type = 17;
constexpr unsigned int8_type = 20;
constexpr unsigned bytea_array_type = 1001;
constexpr unsigned int8_array_type = 1016;
constexpr std::uint64_t oldest_version = 130000;
constexpr std::size_t cluster_id_bytes_max = 50;  // an identifier has at most 63
constexpr std::chrono::milliseconds back_off_first{25};
constexpr std::chrono::milliseconds back_off_max{400};

void put_big_endian(std::string& to, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    to += static_cast<char>((number >> shift) & 0xFF);
  }
}

std::string array_header(std::size_t elements, unsigned type) {
  std::string bytes;
  put_big_endian(bytes, elements == 0 ? 0 : 1, 4);  // dimensions
  put_big_endian(bytes, 0, 4);                      // no NULLs
  put_big_endian(bytes, type, 4);
  if (elements > 0) {
    put_big_endian(bytes, elements, 4);
    put_big_endian(bytes, 1, 4);  // first index
  }
  return bytes;
}

std::string trimmed(const char* text) {
  std::string message = text == nullptr ? "" : text;
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  std::ranges::replace(message, '\n', ' ');
  return message;
}

Code code_of(std::string_view state) {
  if (state.starts_with("XX0") || state == "23505") return Code::corrupt;
  if (state.starts_with("28") || state.starts_with("3D") || state.starts_with("3F") ||
      state.starts_with("42") || state.starts_with("22") || state.starts_with("0A")) {
    return Code::misuse;
  }
  return Code::unavailable;
}

}  // namespace

PostgresValue PostgresValue::of(std::string_view bytes) { return {bytea_type, std::string(bytes)}; }

PostgresValue PostgresValue::of(std::uint64_t number) {
  PostgresValue value{int8_type};
  put_big_endian(value.bytes, number, 8);
  return value;
}

PostgresValue PostgresValue::array(std::span<const std::string_view> elements) {
  PostgresValue value{bytea_array_type, array_header(elements.size(), bytea_type)};
  for (const auto element : elements) {
    put_big_endian(value.bytes, element.size(), 4);
    value.bytes += element;
  }
  return value;
}

PostgresValue PostgresValue::array(std::span<const std::uint64_t> elements) {
  PostgresValue value{int8_array_type, array_header(elements.size(), int8_type)};
  for (const auto element : elements) {
    put_big_endian(value.bytes, 8, 4);
    put_big_endian(value.bytes, element, 8);
  }
  return value;
}

void PostgresRows::Clear::operator()(pg_result* result) const noexcept { PQclear(result); }

int PostgresRows::size() const { return PQntuples(result_.get()); }

std::string_view PostgresRows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::uint64_t PostgresRows::number(int row, int column) const {
  std::uint64_t number = 0;
  for (const char byte : bytes(row, column)) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

void PostgresConnection::Finish::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

PostgresConnection::PostgresConnection(PostgresOptions options) : options_(std::move(options)) {}

std::string PostgresConnection::schema() const {
  std::string quoted = "\"coterie_";
  for (const char c : options_.cluster_id)
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// The connection cannot be used any more.
StorageError PostgresConnection::lost(std::string what) {
  StorageError error{Code::unavailable,
                     "PostgreSQL: " + std::move(what) +
                         ". Check that the server runs and is reachable; the next request connects "
                         "again"};
  connection_.reset();
  return error;
}

StorageError PostgresConnection::refused(const pg_result* result) const {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string state = field == nullptr ? "" : field;
  return {code_of(state), "PostgreSQL refused a statement: " +
                              trimmed(PQresultErrorMessage(result)) + " (SQLSTATE " + state + ")"};
}

StorageResult<void> PostgresConnection::wait_for(short events) {
  pollfd descriptor{PQsocket(connection_.get()), events, 0};
  const auto bound = options_.wait + options_.wait / 2;
  const int ready = ::poll(&descriptor, 1, static_cast<int>(bound.count()));
  if (ready > 0) return {};
  if (ready < 0) return wait_for(events);  // interrupted by a signal
  return std::unexpected(lost("no answer for " + std::to_string(bound.count()) + " ms"));
}

StorageResult<void> PostgresConnection::connect() {
  if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) return {};
  // Waiting here bounds how often a server that is down is asked, without a clock.
  if (back_off_.count() > 0) ::poll(nullptr, 0, static_cast<int>(back_off_.count()));
  auto connected = dial();
  if (connected) connected = check_server();
  if (connected) {
    back_off_ = std::chrono::milliseconds(0);
  } else {
    connection_.reset();
    back_off_ = std::min(std::max(back_off_ * 2, back_off_first), back_off_max);
  }
  return connected;
}

StorageResult<void> PostgresConnection::dial() {
  const std::string user_timeout = std::to_string(2 * options_.wait.count());
  // What the conninfo says comes last and wins.
  const std::array<const char*, 9> keys = {
      "application_name",     "keepalives_idle",  "keepalives_interval",
      "keepalives_count",     "tcp_user_timeout", "client_encoding",
      "target_session_attrs", "dbname",           nullptr};
  const std::array<const char*, 9> values = {"coterie",
                                             "5",
                                             "2",
                                             "3",
                                             user_timeout.c_str(),
                                             "UTF8",
                                             "read-write",
                                             options_.conninfo.c_str(),
                                             nullptr};
  connection_.reset(PQconnectStartParams(keys.data(), values.data(), 1));
  if (!connection_) return std::unexpected(lost("no memory for a connection"));
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    const auto why = trimmed(PQerrorMessage(connection_.get()));
    return std::unexpected(lost("connecting failed: " + why));
  }
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
    if (state == PGRES_POLLING_FAILED) {
      const auto why = trimmed(PQerrorMessage(connection_.get()));
      return std::unexpected(lost("connecting failed: " + why));
    }
    if (auto ok = wait_for(state == PGRES_POLLING_READING ? POLLIN : POLLOUT); !ok) return ok;
    state = PQconnectPoll(connection_.get());
  }
  PQsetnonblocking(connection_.get(), 1);
  PQenterPipelineMode(connection_.get());
  return {};
}

StorageResult<void> PostgresConnection::check_server() {
  const auto ms = std::to_string(options_.wait.count());
  const std::vector<PostgresStatement> statements = {
      {"SET client_min_messages = error"},
      {"SET statement_timeout = " + ms},
      {"SET lock_timeout = " + ms},
      // A node that is stopped or cut off inside a transaction loses its locks, and before those
      // who wait for them give up: their leases go on.
      {"SET idle_in_transaction_session_timeout = " +
       std::to_string(std::max<std::int64_t>(options_.wait.count() / 2, 1))},
      {"SET search_path = " + schema()},
      {"SELECT current_setting('server_version_num')::int8, current_setting('synchronous_commit'),"
       " current_setting('fsync'), current_setting('full_page_writes')"}};
  auto rows = exchange(statements, false);
  if (!rows) return std::unexpected(std::move(rows.error()));
  const auto& row = rows->back();
  if (row.number(0, 0) < oldest_version) {
    return std::unexpected(
        StorageError{Code::misuse, "PostgreSQL: the server's version is " +
                                       std::to_string(row.number(0, 0)) + ", expected at least " +
                                       std::to_string(oldest_version) + ". Use a newer server"});
  }
  if (row.bytes(0, 1) == "off") {
    return std::unexpected(StorageError{
        Code::misuse,
        "PostgreSQL: synchronous_commit is off, so an acknowledged event could be lost. Set it to "
        "on in postgresql.conf, or write options='-c synchronous_commit=on' in the conninfo"});
  }
  warnings_.clear();
  for (const auto& [column, name] : {std::pair{2, "fsync"}, std::pair{3, "full_page_writes"}}) {
    if (row.bytes(0, column) == "off") {
      warnings_.push_back(std::string("PostgreSQL: ") + name +
                          " is off; a power cut of its host may lose or damage everything. Set it "
                          "to on in postgresql.conf");
    }
  }
  return {};
}

StorageResult<std::vector<PostgresRows>> PostgresConnection::run(
    std::span<const PostgresStatement> statements, bool commits) {
  if (auto ok = connect(); !ok) return std::unexpected(std::move(ok.error()));
  return exchange(statements, commits);
}

void PostgresConnection::rollback() noexcept {
  if (!connection_) return;
  if (PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) return;
  const PostgresStatement statement{"ROLLBACK"};
  if (!exchange({&statement, 1}, false)) connection_.reset();
}

StorageResult<void> PostgresConnection::send(std::span<const PostgresStatement> statements) {
  const auto fail = [&] {
    return std::unexpected(lost(trimmed(PQerrorMessage(connection_.get()))));
  };
  for (const auto& statement : statements) {
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const auto& value : statement.values) {
      types.push_back(value.type);
      values.push_back(value.bytes.data());
      lengths.push_back(static_cast<int>(value.bytes.size()));
      formats.push_back(1);
    }
    if (PQsendQueryParams(connection_.get(), statement.sql.c_str(), static_cast<int>(values.size()),
                          types.data(), values.data(), lengths.data(), formats.data(), 1) != 1) {
      return fail();
    }
  }
  if (PQpipelineSync(connection_.get()) != 1) return fail();
  while (true) {
    const int left = PQflush(connection_.get());
    if (left < 0) return fail();
    if (left == 0) return {};
    if (auto ok = wait_for(POLLIN | POLLOUT); !ok) return ok;
    if (PQconsumeInput(connection_.get()) != 1) return fail();
  }
}

StorageResult<pg_result*> PostgresConnection::next_result() {
  while (PQisBusy(connection_.get()) != 0) {
    if (auto ok = wait_for(POLLIN); !ok) return std::unexpected(std::move(ok.error()));
    if (PQconsumeInput(connection_.get()) != 1) {
      return std::unexpected(lost(trimmed(PQerrorMessage(connection_.get()))));
    }
  }
  return PQgetResult(connection_.get());
}

StorageResult<std::vector<PostgresRows>> PostgresConnection::exchange(
    std::span<const PostgresStatement> statements, bool commits) {
  const auto lost_answer = [&](StorageError error) {
    error.maybe_applied = commits;
    return std::unexpected(std::move(error));
  };
  if (auto ok = send(statements); !ok) return lost_answer(std::move(ok.error()));
  std::vector<PostgresRows> all;
  std::optional<StorageError> first_error;
  int ends = 0;
  while (true) {
    auto result = next_result();
    if (!result) return lost_answer(std::move(result.error()));
    if (*result == nullptr) {  // the end of one statement; twice in a row: nothing more will come
      if (++ends > 1) return lost_answer(lost(trimmed(PQerrorMessage(connection_.get()))));
      continue;
    }
    ends = 0;
    PostgresRows rows(*result);
    const auto status = PQresultStatus(*result);
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      all.push_back(std::move(rows));
    } else if (status == PGRES_FATAL_ERROR && !first_error) {
      first_error = refused(*result);
      // A refusal by the server is an answer: nothing was committed. One that libpq made up because
      // the connection broke is none.
      if (PQstatus(connection_.get()) != CONNECTION_OK) {
        return lost_answer(lost(first_error->message));
      }
    }
  }
  if (!first_error) return all;
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    const PostgresStatement undo{"ROLLBACK"};
    if (!exchange({&undo, 1}, false)) connection_.reset();
  }
  return std::unexpected(std::move(*first_error));
}

StorageResult<void> PostgresConnection::prepare_schema(std::string_view table,
                                                       std::span<const PostgresStatement> create) {
  if (options_.cluster_id.empty() || options_.cluster_id.size() > cluster_id_bytes_max) {
    return std::unexpected(StorageError{
        Code::misuse, "the cluster's id names a PostgreSQL schema: 1 to " +
                          std::to_string(cluster_id_bytes_max) + " bytes are allowed, it has " +
                          std::to_string(options_.cluster_id.size())});
  }
  const PostgresStatement look{"SELECT (to_regclass('" + std::string(table) +
                               "') IS NOT NULL)::int4::int8"};
  auto found = run({&look, 1});
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->front().number(0, 0) == 1) return {};
  // Nodes that start together take turns: IF NOT EXISTS alone does not exclude a race.
  std::vector<PostgresStatement> statements = {{"BEGIN"},
                                               {"SELECT pg_advisory_xact_lock(7163102417309)"},
                                               {"CREATE SCHEMA IF NOT EXISTS " + schema()}};
  statements.insert(statements.end(), create.begin(), create.end());
  statements.push_back({"COMMIT"});
  auto created = run(statements, true);
  if (!created) return std::unexpected(std::move(created.error()));
  return {};
}

}  // namespace coterie::detail
