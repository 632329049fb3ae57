#include "journal/sqlite_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace coterie::detail {
namespace {

using Code = StorageError::Code;

constexpr std::string_view format = "1";

constexpr const char* records_schema =
    "CREATE TABLE records(key TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL,"
    " value BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE counter(id INTEGER PRIMARY KEY CHECK(id = 1), value INTEGER NOT NULL);"
    "INSERT INTO counter VALUES(1, 0);";
constexpr const char* fences_schema =
    "CREATE TABLE fences(stream TEXT NOT NULL PRIMARY KEY, view INTEGER NOT NULL,"
    " counter INTEGER NOT NULL, homes TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;";
constexpr const char* events_schema =
    "CREATE TABLE events(stream TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " view INTEGER NOT NULL, counter INTEGER NOT NULL, request_id TEXT NOT NULL,"
    " payload BLOB NOT NULL, outcome BLOB NOT NULL, chain INTEGER NOT NULL,"
    " PRIMARY KEY(stream, sequence)) WITHOUT ROWID;";
// Also made in files from before there were snapshots.
constexpr const char* snapshots_schema =
    "CREATE TABLE IF NOT EXISTS snapshots(stream TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " view INTEGER NOT NULL, counter INTEGER NOT NULL, state BLOB NOT NULL,"
    " chain INTEGER NOT NULL, trimmed INTEGER NOT NULL, crc INTEGER NOT NULL,"
    " PRIMARY KEY(stream, sequence)) WITHOUT ROWID;";

std::string_view name_of(SqliteKind kind) {
  switch (kind) {
    case SqliteKind::agreement:
      return "agreement";
    case SqliteKind::names:
      return "names";
    case SqliteKind::journal:
      break;
  }
  return "journal";
}

StorageError system_error(std::string what, int error) {
  return {Code::unavailable, std::move(what) + ": " + std::strerror(error)};  // NOLINT
}

StorageResult<void> fill(SqliteConnection& connection, const SqliteFile& file) {
  std::string schema =
      "PRAGMA journal_mode=WAL; BEGIN;"
      "CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"
      " WITHOUT ROWID;";
  if (file.kind == SqliteKind::journal) {
    schema += events_schema;
    schema += snapshots_schema;
  } else {
    schema += records_schema;
    if (file.kind == SqliteKind::names) schema += fences_schema;
  }
  if (auto ok = connection.execute(schema.c_str()); !ok) return ok;
  auto stamp = connection.prepare("INSERT INTO meta VALUES(?, ?)");
  if (!stamp) return std::unexpected(std::move(stamp.error()));
  for (const auto& [key, value] : {std::pair<std::string_view, std::string_view>{"format", format},
                                   {"kind", name_of(file.kind)},
                                   {"cluster_id", file.cluster_id}}) {
    if (auto ok = stamp->run(key, value); !ok) return ok;
  }
  return connection.commit();
}

StorageResult<void> sync_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return std::unexpected(system_error("opening directory '" + directory + "'", errno));
  }
  const int failed = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (failed == 0) return {};
  return std::unexpected(system_error("syncing directory '" + directory + "'", failed));
}

/// A file of another name that is removed, with what SQLite put beside it, when this goes.
class Scaffold {
 public:
  static StorageResult<Scaffold> make(const std::string& directory) {
    std::string path = directory + "/.creating-XXXXXX";
    const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
    if (descriptor < 0) {
      const int error = errno;
      return std::unexpected(
          system_error("SQLite journal, making a file in directory '" + directory +
                           "' failed. Check that it exists, is writable for the node and has space",
                       error));
    }
    ::close(descriptor);
    return Scaffold(std::move(path));
  }
  Scaffold(Scaffold&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scaffold& operator=(Scaffold&&) = delete;
  ~Scaffold() {
    if (path_.empty()) return;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path_ + suffix).c_str());
  }
  const std::string& path() const { return path_; }

 private:
  explicit Scaffold(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

StorageResult<void> check_stamp(SqliteConnection& connection, const SqliteFile& file) {
  const auto refuse = [&](Code code, std::string why) {
    return std::unexpected(StorageError{code, "SQLite file '" + file.path + "' " + why});
  };
  bool has_meta = false;
  {
    auto tables = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'");
    if (!tables) return std::unexpected(std::move(tables.error()));
    if (auto ok = tables->query([&](SqliteStatement&) { has_meta = true; }); !ok) return ok;
  }
  if (!has_meta) {
    return refuse(Code::corrupt,
                  "is empty or was not made by coterie (it has no table 'meta'). Restore it from a "
                  "backup, or name another directory");
  }
  std::string found_format;
  std::string found_kind;
  std::string found_cluster;
  std::string found_mode;
  auto meta = connection.prepare("SELECT key, value FROM meta");
  if (!meta) return std::unexpected(std::move(meta.error()));
  if (auto ok = meta->query([&](SqliteStatement& row) {
        if (row.bytes(0) == "format") found_format = row.bytes(1);
        if (row.bytes(0) == "kind") found_kind = row.bytes(1);
        if (row.bytes(0) == "cluster_id") found_cluster = row.bytes(1);
      });
      !ok) {
    return ok;
  }
  auto mode = connection.prepare("PRAGMA journal_mode");
  if (!mode) return std::unexpected(std::move(mode.error()));
  if (auto ok = mode->query([&](SqliteStatement& row) { found_mode = row.bytes(0); }); !ok) {
    return ok;
  }
  if (found_format != format) {
    return refuse(Code::misuse, "has format '" + found_format + "', this program reads '" +
                                    std::string(format) + "'. Use the program that wrote it");
  }
  if (found_kind != name_of(file.kind)) {
    return refuse(Code::misuse, "is of kind '" + found_kind + "', expected '" +
                                    std::string(name_of(file.kind)) +
                                    "'. Were files renamed? Put them back");
  }
  if (found_cluster != file.cluster_id) {
    return refuse(Code::misuse, "belongs to cluster '" + found_cluster + "', this node is of '" +
                                    file.cluster_id +
                                    "'. Give each cluster a directory of its own");
  }
  if (found_mode != "wal") {
    return refuse(Code::misuse, "has journal mode '" + found_mode +
                                    "', expected 'wal'. Run: sqlite3 FILE 'PRAGMA "
                                    "journal_mode=WAL'");
  }
  return {};
}

}  // namespace

StorageResult<SqliteConnection> open_file(const SqliteFile& file, const char* vfs) {
  struct stat found {};
  if (::stat(file.path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    return std::unexpected(StorageError{
        Code::misuse, "SQLite file '" + file.path +
                          "': there is something of that name that is not a regular file. Move it "
                          "away, or name another directory"});
  }
  // SQLite's own word for a read-only disk is "unable to open". A file that is missing is left to
  // it: whoever may make the file has done so before.
  const std::string directory = std::filesystem::path(file.path).parent_path().string();
  for (const auto& path : {file.path, directory}) {
    if (::access(path.c_str(), W_OK) != 0 && errno != ENOENT) {
      return std::unexpected(system_error("SQLite file '" + file.path + "': '" + path +
                                              "' is read-only for the node. Make the directory "
                                              "and its files writable, or mount it read-write",
                                          errno));
    }
  }
  auto connection = SqliteConnection::open(file.path, file.busy_wait, vfs);
  if (!connection) return connection;
  auto ok = check_stamp(*connection, file);
  if (ok && file.kind == SqliteKind::journal) ok = connection->execute(snapshots_schema);
  if (!ok) return std::unexpected(std::move(ok.error()));
  return connection;
}

StorageResult<void> create_file(const SqliteFile& file) {
  struct stat found {};
  if (::stat(file.path.c_str(), &found) == 0) return {};
  const std::string directory = std::filesystem::path(file.path).parent_path().string();
  if (::stat(directory.c_str(), &found) != 0) {
    return std::unexpected(system_error("SQLite journal: directory '" + directory +
                                            "' cannot be used; create it (mkdir -p) or mount it",
                                        errno));
  }
  if (!S_ISDIR(found.st_mode)) {
    return std::unexpected(StorageError{
        Code::misuse, "SQLite journal: '" + directory + "' is not a directory; name a directory"});
  }
  auto scaffold = Scaffold::make(directory);
  if (!scaffold) return std::unexpected(std::move(scaffold.error()));
  {
    auto connection = SqliteConnection::open(scaffold->path(), file.busy_wait);
    if (!connection) return std::unexpected(std::move(connection.error()));
    if (auto ok = fill(*connection, file); !ok) return ok;
  }  // the last connection to go moves everything from the log into the file
  if (::link(scaffold->path().c_str(), file.path.c_str()) != 0 && errno != EEXIST) {
    return std::unexpected(system_error("making SQLite file '" + file.path + "'", errno));
  }
  return sync_directory(directory);
}

std::string journal_file_name(std::string_view node) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string name = "journal-";
  for (const char c : node) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (plain) {
      name += c;
    } else {
      name += {'%', digits[byte >> 4], digits[byte & 0xF]};
    }
  }
  return name + ".db";
}

}  // namespace coterie::detail
