#pragma once
// What the processes of one scope of process groups tell each other, over ordinary links. Each
// numbers the changes of its own node's members, so another one sees what it has missed: by the
// next change, or by the next GroupBeat. Idea: OTP's pg (lib/kernel/src/pg.erl), which has no
// numbers.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/pid.hpp>

namespace coterie::detail {

/// Members of the sender's node, one for each time that they have joined.
struct GroupMembers {
  std::string group;
  std::vector<std::uint64_t> serials;
  friend bool operator==(const GroupMembers&, const GroupMembers&) = default;
};

/// "I am here; tell me all of your members." Answered with a GroupSync.
struct GroupDiscover {
  static constexpr std::string_view type_name = "coterie.pg.discover";
  Pid from;
};

/// All members of the sender's node as of `version`, in pieces 0, 1, ...
struct GroupSync {
  static constexpr std::string_view type_name = "coterie.pg.sync";
  Pid from;
  std::uint64_t version = 0;
  std::uint32_t piece = 0;
  bool last = false;
  std::vector<GroupMembers> groups;
};

/// The change after `version` - 1.
struct GroupUpdate {
  static constexpr std::string_view type_name = "coterie.pg.update";
  Pid from;
  std::uint64_t version = 0;
  bool joined = false;
  GroupMembers members;
};

/// Sent now and then: whoever is behind asks again.
struct GroupBeat {
  static constexpr std::string_view type_name = "coterie.pg.beat";
  Pid from;
  std::uint64_t version = 0;
};

}  // namespace coterie::detail
