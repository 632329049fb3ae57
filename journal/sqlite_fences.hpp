#pragma once
// The fences of streams: one row per stream in the names file, shared by the nodes of a host. A
// fence names its epoch, the node that raised it and every node that ever did ("homes"): only their
// files can hold events of the stream. One thread at a time: the owner locks.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "journal/sqlite_connection.hpp"
#include "journal/sqlite_file.hpp"

namespace coterie::detail {

struct Fence {
  Epoch epoch;
  std::vector<std::string> homes;  // file names; the last is that of the node that raised it
  friend bool operator==(const Fence&, const Fence&) = default;
};

/// A fence that was raised, and whether the node that did it is among the homes for the first time:
/// then its file holds nothing of the stream.
struct RaisedFence {
  Fence fence;
  bool new_home = false;
};

class SqliteFences {
 public:
  /// `names` is the names file, which exists.
  static StorageResult<SqliteFences> open(const SqliteFile& names);

  /// nullopt: the stream was never opened. `corrupt` when the row does not fit its checksum.
  StorageResult<std::optional<Fence>> read(std::string_view stream);
  /// The fences of the streams as they are now, all of one moment.
  StorageResult<std::vector<StorageResult<std::optional<Fence>>>> read_many(
      std::span<const std::string_view> streams);
  /// Changes when somebody else writes to the file: as long as it is the same, so are the fences.
  StorageResult<std::uint64_t> version();
  /// Raises the fences for the node whose file is `home`, in one durable commit. Each is raised or
  /// refused (`fenced`, `misuse`, `corrupt`) by itself.
  StorageResult<std::vector<StorageResult<RaisedFence>>> raise(std::span<const Opening> openings,
                                                               const std::string& home);
  /// Streams that start with `prefix`, in order of name.
  StorageResult<std::vector<std::string>> list(std::string_view prefix);

 private:
  StorageResult<RaisedFence> raise(const Opening& opening, const std::string& home);

  SqliteConnection connection_;
  SqliteStatement select_, upsert_, from_, between_, version_;
};

}  // namespace coterie::detail
