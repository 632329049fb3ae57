#include "journal/sqlite_gather.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

namespace coterie::detail {
namespace {

// SQLite's own file system writes at most 128 KiB at once.
constexpr std::size_t piece_max = std::size_t{64} << 10;

struct Free {
  void operator()(void* memory) const noexcept { sqlite3_free(memory); }
};

/// The write-ahead log of one connection: the real file, and what was not handed to it yet.
class Log {
 public:
  explicit Log(std::unique_ptr<sqlite3_file, Free> file) : file_(std::move(file)) {
    gathered_.reserve(piece_max);
  }

  /// On a disk that may spoil the neighbours of what it writes SQLite writes on after the sync, to
  /// fill the sector; that must not be held back.
  void opened() {
    gathers_ = (real().xDeviceCharacteristics(file()) & SQLITE_IOCAP_POWERSAFE_OVERWRITE) != 0;
  }

  sqlite3_file* file() const noexcept { return file_.get(); }
  const sqlite3_io_methods& real() const noexcept { return *file_->pMethods; }

  int write(const char* bytes, std::size_t size, sqlite3_int64 at) {
    const bool follows = at == at_ + static_cast<sqlite3_int64>(gathered_.size());
    if (!follows || gathered_.size() + size > piece_max) {
      if (const int failed = hand_over(); failed != SQLITE_OK) return failed;
    }
    if (!gathers_ || size > piece_max)
      return real().xWrite(file(), bytes, static_cast<int>(size), at);
    if (gathered_.empty()) at_ = at;
    gathered_.append(bytes, size);  // within what is reserved
    return SQLITE_OK;
  }

  /// What could not be written is forgotten: SQLite undoes the commit that it belongs to.
  int hand_over() {
    if (gathered_.empty()) return SQLITE_OK;
    const int done =
        real().xWrite(file(), gathered_.data(), static_cast<int>(gathered_.size()), at_);
    gathered_.clear();
    return done;
  }

 private:
  std::unique_ptr<sqlite3_file, Free> file_;
  std::string gathered_;
  sqlite3_int64 at_ = 0;  // of its first byte
  bool gathers_ = false;
};

/// What SQLite has in its hands.
struct LogFile {
  sqlite3_file base;
  Log* log;
};

Log& of(sqlite3_file* file) { return *reinterpret_cast<LogFile*>(file)->log; }

/// Hands over first, so that the file is as SQLite thinks it is.
template <class Call>
int after_all(sqlite3_file* file, Call&& call) {
  Log& log = of(file);
  if (const int failed = log.hand_over(); failed != SQLITE_OK) return failed;
  return call(log.real(), log.file());
}

int close(sqlite3_file* file) {
  const std::unique_ptr<Log> log(&of(file));  // holds nothing: every commit is synced
  return log->real().xClose(log->file());
}
int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return after_all(file,
                   [&](const auto& real, auto* inner) { return real.xRead(inner, to, size, at); });
}
int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  return of(file).write(static_cast<const char*>(from), static_cast<std::size_t>(size), at);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return after_all(file,
                   [&](const auto& real, auto* inner) { return real.xTruncate(inner, size); });
}
int sync(sqlite3_file* file, int flags) {
  return after_all(file, [&](const auto& real, auto* inner) { return real.xSync(inner, flags); });
}
int size_of(sqlite3_file* file, sqlite3_int64* size) {
  return after_all(file,
                   [&](const auto& real, auto* inner) { return real.xFileSize(inner, size); });
}
int lock(sqlite3_file* file, int level) { return of(file).real().xLock(of(file).file(), level); }
int unlock(sqlite3_file* file, int level) {
  return of(file).real().xUnlock(of(file).file(), level);
}
int check_reserved(sqlite3_file* file, int* held) {
  return of(file).real().xCheckReservedLock(of(file).file(), held);
}
int control(sqlite3_file* file, int what, void* with) {
  return of(file).real().xFileControl(of(file).file(), what, with);
}
int sector_size(sqlite3_file* file) { return of(file).real().xSectorSize(of(file).file()); }
int traits(sqlite3_file* file) { return of(file).real().xDeviceCharacteristics(of(file).file()); }

// Version 1: shared memory is the database file's affair, not the log's.
constexpr sqlite3_io_methods methods{1,       close,       read,    write,   truncate,
                                     sync,    size_of,     lock,    unlock,  check_reserved,
                                     control, sector_size, traits,  nullptr, nullptr,
                                     nullptr, nullptr,     nullptr, nullptr};

sqlite3_vfs* real_vfs = nullptr;

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* got) {
  if ((flags & SQLITE_OPEN_WAL) == 0) return real_vfs->xOpen(real_vfs, name, file, flags, got);
  file->pMethods = nullptr;
  const auto bytes = static_cast<sqlite3_uint64>(real_vfs->szOsFile);
  std::unique_ptr<sqlite3_file, Free> inner(static_cast<sqlite3_file*>(sqlite3_malloc64(bytes)));
  if (inner == nullptr) return SQLITE_NOMEM;
  std::fill_n(reinterpret_cast<char*>(inner.get()), bytes, '\0');
  std::unique_ptr<Log> log;
  try {
    log = std::make_unique<Log>(std::move(inner));
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
  if (const int failed = real_vfs->xOpen(real_vfs, name, log->file(), flags, got);
      failed != SQLITE_OK) {
    if (log->file()->pMethods != nullptr) log->real().xClose(log->file());
    return failed;
  }
  log->opened();
  reinterpret_cast<LogFile*>(file)->log = log.release();
  file->pMethods = &methods;
  return SQLITE_OK;
}

}  // namespace

const char* gathering_vfs() {
  static const char* const name = [] {
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs ours = *real_vfs;
    ours.zName = "coterie-gathering";
    ours.pNext = nullptr;
    ours.szOsFile = std::max(real_vfs->szOsFile, static_cast<int>(sizeof(LogFile)));
    ours.xOpen = open_file;
    sqlite3_vfs_register(&ours, 0);
    return ours.zName;
  }();
  return name;
}

}  // namespace coterie::detail
