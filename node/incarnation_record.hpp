#pragma once
// What a state directory remembers of its node's runs, as one line of text. Pure.
//
// The file `incarnation` holds the same line twice, at byte 0 and at byte 4096. Both copies are
// written and synced, one after the other, before the run begins: so whatever is torn or rots in
// one of them, the other holds a counter that is not smaller than that of any run there ever was.
//
//   coterie incarnation 1 highest=7 counter=7 id=9f… device=2049 inode=131 machine=3d… boot=0c…
//   crc=1a2b3c4d
//
// | field         | meaning                                                                 |
// | highest       | greatest counter used, or heard of from the cluster: the next is greater |
// | counter, id   | the last run's incarnation                                              |
// | device, inode | of the lock file that this run held: a copied directory has another     |
// | machine, boot | /etc/machine-id and the kernel's boot id when the run began             |
// | crc           | CRC-32C of everything before " crc="                                    |

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <coterie/pid.hpp>

namespace coterie {

struct IncarnationRecord {
  static constexpr int version = 1;
  static constexpr std::size_t bytes_max = 512;
  static constexpr std::size_t copy_offset = 4096;

  std::uint64_t highest = 0;
  Incarnation run;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string machine;  // no blanks; at most 64 bytes
  std::string boot;
  friend bool operator==(const IncarnationRecord&, const IncarnationRecord&) = default;
};

enum class RecordProblem : std::uint8_t {
  corrupt,  // blank, torn or rotten
  newer,    // whole, and of a later version of the layout
};

/// Ends with a line end.
std::string write_record(const IncarnationRecord& record);
/// `text` may go on behind the line.
std::expected<IncarnationRecord, RecordProblem> read_record(std::string_view text);

}  // namespace coterie
