#include "tests/journal/postgres_admin.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace coterie::test {

std::string postgres_conninfo() {
  const char* conninfo = std::getenv("COTERIE_TEST_POSTGRES");
  if (conninfo == nullptr || *conninfo == '\0') {
    throw std::runtime_error(
        "COTERIE_TEST_POSTGRES is not set. Run ./run test, or start a server with "
        "tests/house/postgres.sh start DIRECTORY and set it to the line that this prints");
  }
  return conninfo;
}

std::string postgres_execute(const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
      PQconnectdb(postgres_conninfo().c_str()), PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
  if (PQntuples(result.get()) == 0) return {};
  return PQgetvalue(result.get(), 0, 0);
}

void drop_postgres_schema(const std::string& cluster_id) noexcept {
  try {
    postgres_execute("SET client_min_messages = warning; DROP SCHEMA IF EXISTS \"coterie_" +
                     cluster_id + "\" CASCADE");
  } catch (const std::exception&) {
    // The server is gone or was never there: the test has said so.
    return;
  }
}

}  // namespace coterie::test
