#pragma once
// What a voter remembers, on disk: one small file of two copies, each written and synced before the
// voter answers. So whatever is torn by a power cut or rots in one copy, the other holds nothing
// older than what was answered; with both unreadable the voter refuses to vote and says why. The
// file has its full size from the beginning, so a full disk stops no view. Owned by the voter's
// driver; one thread. The layout's document is docs/failover.md, "The voter's file".
//
// A copy: | field | bytes | meaning |
//         | magic | 8 | "coterieV"
//         | crc | 4 | CRC-32C of the rest, little endian
//         | length | 4 | of the payload, little endian
//         | payload | length | version, generation, cluster id, slot id, history, voters,
//                             promised, accepted, longest lease, view (RecordWriter)

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "process/ports/storage.hpp"
#include "registry/view_register.hpp"

namespace coterie {

/// The seam to the real file. Bytes written are durable only after sync(); until then any of them
/// may be there or not. An error of sync() leaves that open for ever.
class VoterDisk {
 public:
  virtual ~VoterDisk() = default;
  /// The whole file; empty: there is none.
  virtual StorageResult<Bytes> read() = 0;
  /// Makes the file with this content, durably and at once: a power cut leaves none or all of it.
  virtual StorageResult<void> create(BytesView content) = 0;
  virtual StorageResult<void> write(std::size_t offset, BytesView bytes) = 0;
  virtual StorageResult<void> sync() = 0;
};

struct VoterState {
  std::uint64_t slot_id = 0;                    // drawn when the file was made: names this disk
  std::uint64_t history = 0;                    // raised by `coterie recover --force-voters`
  std::map<std::string, std::uint64_t> voters;  // name -> slot id; empty: not known yet
  VoterRecord record;
  friend bool operator==(const VoterState&, const VoterState&) = default;
};

class VoterFile final {
 public:
  static constexpr std::size_t copy_bytes = 128 * 1024;

  /// Reads the file, and mends a damaged copy by the other; makes it, with `fresh_id`, if there is
  /// none. `corrupt`: no copy can be read; `misuse`: it is another cluster's, or of a later
  /// version.
  static StorageResult<VoterFile> open(VoterDisk& disk, std::string cluster_id,
                                       std::uint64_t fresh_id);

  const VoterState& state() const noexcept { return state_; }
  /// There was no file: nothing is remembered.
  bool created() const noexcept { return created_; }
  /// For the log: a copy was mended. Empty: nothing.
  const std::string& remark() const noexcept { return remark_; }

  /// Returns once `state` is on disk. After an error every later save fails too, since nobody knows
  /// what the disk holds: the voter ends.
  StorageResult<void> save(const VoterState& state);

 private:
  VoterFile(VoterDisk& disk, std::string cluster_id)
      : disk_(&disk), cluster_id_(std::move(cluster_id)) {}
  StorageResult<void> write_copy(std::size_t copy, const Bytes& bytes);

  VoterDisk* disk_;
  std::string cluster_id_;
  VoterState state_;
  std::uint64_t generation_ = 0;
  bool created_ = false;
  std::string failure_;
  std::string remark_;
};

}  // namespace coterie
