#pragma once
// What tests do to a PostgreSQL server that the library never does.

#include <string>

namespace coterie::test {

/// From COTERIE_TEST_POSTGRES; throws, with what to do, when it is not set.
std::string postgres_conninfo();

/// Runs statements as they stand; throws on an error. Returns the first field of the first row.
std::string postgres_execute(const std::string& sql);
void drop_postgres_schema(const std::string& cluster_id) noexcept;

}  // namespace coterie::test
