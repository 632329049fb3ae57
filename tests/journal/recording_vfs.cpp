#include "tests/journal/recording_vfs.hpp"

#include <sqlite3.h>

#include <cstring>
#include <string_view>
#include <utility>

namespace coterie::test {
namespace {

using Kind = DiskOperation::Kind;

constexpr std::uint64_t system_page = 4096;

bool recording = false;
std::vector<DiskOperation> operations;
sqlite3_vfs* real = nullptr;

void record(Kind kind, const char* file, std::uint64_t offset = 0, std::string bytes = {}) {
  if (recording && file != nullptr) operations.push_back({kind, file, offset, std::move(bytes)});
}

/// Ours, then the real one's, in one piece of memory.
struct File {
  sqlite3_file base;
  const char* name;
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

int close(sqlite3_file* f) { return of(f).inner()->pMethods->xClose(of(f).inner()); }
int read(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
  return of(f).inner()->pMethods->xRead(of(f).inner(), to, size, at);
}
int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
  // The system takes a write page by page, and a cut may come between two of them.
  const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
  for (std::size_t taken = 0; taken < bytes.size();) {
    const std::uint64_t offset = static_cast<std::uint64_t>(at) + taken;
    const std::string_view piece = bytes.substr(taken, system_page - offset % system_page);
    record(Kind::write, of(f).name, offset, std::string(piece));
    taken += piece.size();
  }
  return of(f).inner()->pMethods->xWrite(of(f).inner(), from, size, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  record(Kind::truncate, of(f).name, static_cast<std::uint64_t>(size));
  return of(f).inner()->pMethods->xTruncate(of(f).inner(), size);
}
int sync(sqlite3_file* f, int flags) {
  const int done = of(f).inner()->pMethods->xSync(of(f).inner(), flags);
  record(Kind::sync, of(f).name);
  return done;
}
int size(sqlite3_file* f, sqlite3_int64* to) {
  return of(f).inner()->pMethods->xFileSize(of(f).inner(), to);
}
int lock(sqlite3_file* f, int what) { return of(f).inner()->pMethods->xLock(of(f).inner(), what); }
int unlock(sqlite3_file* f, int what) {
  return of(f).inner()->pMethods->xUnlock(of(f).inner(), what);
}
int reserved(sqlite3_file* f, int* to) {
  return of(f).inner()->pMethods->xCheckReservedLock(of(f).inner(), to);
}
int control(sqlite3_file* f, int what, void* with) {
  return of(f).inner()->pMethods->xFileControl(of(f).inner(), what, with);
}
int sector(sqlite3_file* f) { return of(f).inner()->pMethods->xSectorSize(of(f).inner()); }
int traits(sqlite3_file* f) {
  return of(f).inner()->pMethods->xDeviceCharacteristics(of(f).inner());
}
int shm_map(sqlite3_file* f, int page, int bytes, int extend, void volatile** to) {
  return of(f).inner()->pMethods->xShmMap(of(f).inner(), page, bytes, extend, to);
}
int shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return of(f).inner()->pMethods->xShmLock(of(f).inner(), offset, count, flags);
}
void shm_barrier(sqlite3_file* f) { of(f).inner()->pMethods->xShmBarrier(of(f).inner()); }
int shm_unmap(sqlite3_file* f, int remove) {
  return of(f).inner()->pMethods->xShmUnmap(of(f).inner(), remove);
}

const sqlite3_io_methods methods{
    2,       close,  read,   write,   truncate, sync,        size,      lock,    unlock, reserved,
    control, sector, traits, shm_map, shm_lock, shm_barrier, shm_unmap, nullptr, nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
  of(f).base.pMethods = nullptr;
  of(f).name = name;  // SQLite keeps it while the file is open
  const int done = real->xOpen(real, name, of(f).inner(), flags, out);
  if (of(f).inner()->pMethods != nullptr) of(f).base.pMethods = &methods;
  return done;
}
int remove(sqlite3_vfs*, const char* name, int synced) {
  record(Kind::remove, name);
  return real->xDelete(real, name, synced);
}

}  // namespace

void install_recording_vfs() {
  if (real != nullptr) return;
  real = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs ours = *real;
  ours.zName = "recording";
  ours.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  ours.xOpen = open;
  ours.xDelete = remove;
  sqlite3_vfs_register(&ours, 1);
}

void record_disk(bool on) { recording = on; }
void note_on_disk(std::uint64_t number) { record(Kind::note, "", number); }
std::vector<DiskOperation> take_disk_operations() { return std::exchange(operations, {}); }

}  // namespace coterie::test
