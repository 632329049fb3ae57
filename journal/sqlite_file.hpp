#pragma once
// The files of an SQLite journal: how one is made, and how one that is found is told from a
// foreign, damaged or newer one. A file appears under its name complete (made under another name,
// then linked), so no process ever sees half a schema, however many start at once.

#include <chrono>
#include <string>
#include <string_view>

#include "journal/sqlite_connection.hpp"

namespace coterie::detail {

enum class SqliteKind { agreement, names, journal };

struct SqliteFile {
  std::string path;
  SqliteKind kind = SqliteKind::journal;
  std::string cluster_id;  // stamped into a new file; another one is refused
  std::chrono::milliseconds busy_wait{1000};
};

/// Opens the file, through a file system of SQLite's if one is named, and checks that it is of that
/// kind and cluster.
StorageResult<SqliteConnection> open_file(const SqliteFile& file, const char* vfs = nullptr);
/// Makes the file if there is none. Its directory must exist.
StorageResult<void> create_file(const SqliteFile& file);

/// Name of a node's own journal file: bytes other than letters, digits, '-', '_', '.' as %XX.
std::string journal_file_name(std::string_view node);

}  // namespace coterie::detail
