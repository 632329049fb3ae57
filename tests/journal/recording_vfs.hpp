#pragma once
// A file system of SQLite's (a VFS) that passes everything on to the real one and writes down, when
// it is told to, each write, truncation and sync of each file, in their order: from that the disk
// can be put back as a power cut at any of these moments may have left it. One thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coterie::test {

struct DiskOperation {
  enum class Kind : std::uint8_t { write, truncate, sync, remove, note };
  Kind kind = Kind::write;
  std::string file;          // a note: nothing
  std::uint64_t offset = 0;  // of a write; the size to truncate to; a note's number
  std::string bytes{};
};

/// Makes it SQLite's default, for connections that are opened from now on.
void install_recording_vfs();
void record_disk(bool on);
/// In between, from outside.
void note_on_disk(std::uint64_t number);
std::vector<DiskOperation> take_disk_operations();

}  // namespace coterie::test
