#pragma once
// A SQLite connection that closes itself, a database file that removes itself, and how many
// descriptors this program has open on it. A connection may move between threads, but only one may
// use it at a time. It blocks its thread: processes use it inside blocking(...).

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace database {

/// The bare handle, whose owner must not forget to close it.
inline sqlite3* open(const std::string& file) {
  sqlite3* handle = nullptr;
  // The statement makes SQLite open the file, which it puts off otherwise.
  if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK ||
      sqlite3_exec(handle, "PRAGMA user_version", nullptr, nullptr, nullptr) != SQLITE_OK) {
    const std::string why = sqlite3_errmsg(handle);
    sqlite3_close(handle);
    throw std::runtime_error(file + ": " + why);
  }
  return handle;
}

class Connection {
 public:
  explicit Connection(const std::string& file) : handle_(open(file)) {}
  ~Connection() { sqlite3_close(handle_); }
  Connection(Connection&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }

  /// The first column of the first row, 0 if there is none.
  std::int64_t query(const std::string& sql) {
    std::int64_t value = 0;
    const auto first = [](void* into, int, char** columns, char**) {
      if (columns[0] != nullptr) *static_cast<std::int64_t*>(into) = std::stoll(columns[0]);
      return 0;
    };
    if (sqlite3_exec(handle_, sql.c_str(), first, &value, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(handle_));
    }
    return value;
  }

 private:
  sqlite3* handle_;
};

/// In the current directory.
class File {
 public:
  explicit File(std::string name) : name_(std::move(name)) {}
  ~File() { std::filesystem::remove(name_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string& name() const noexcept { return name_; }

  /// What the kernel says, not what we believe.
  std::size_t open_descriptors() const {
    const auto wanted = std::filesystem::absolute(name_);
    std::size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the iterator's own descriptor is
      count += std::filesystem::read_symlink(each.path(), gone) == wanted ? 1 : 0;
    }
    return count;
  }

 private:
  const std::string name_;
};

}  // namespace database
