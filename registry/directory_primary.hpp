#pragma once
// The names that one member keeps for all, in the partitions whose primary it is. Pure; one owner,
// one thread: the Directory of the same member.
//
// After a change of view a partition is closed until every member of the new view has been asked
// which names of it it holds, and has told all: nobody else knows. A partition that was open in the
// last view that this member has seen stays open, and nobody is asked about it: whatever happened
// to its names happened here. Not even in a view that this member has missed did somebody else open
// it, because that took its own word.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "process/ports/agreement.hpp"
#include "process/ports/name_service.hpp"
#include "registry/directory_messages.hpp"
#include "registry/placement.hpp"

namespace coterie {

/// Rules that tests switch off one at a time. Always all on.
struct DirectoryProtections {
  bool asked_in_this_view = true;     // an answer counts in the view in which it was asked for
  bool counts_with_lease = true;      // and while the lease runs of who asked
  bool withdrawn_freed = true;        // who is told `taken` takes all copies of its request back
  bool waits_for_all = true;          // a partition opens when every member has said what it holds
  bool claims_to_the_last = true;     // ... all of it, however many messages it takes
  bool kept_only_if_open = true;      // what was not complete is not kept
  bool dead_dropped = true;           // the names of who is not in the view are free
  bool lookup_needs_lease = true;     // a primary that may have been removed answers no lookup
  bool asked_confirm_claimed = true;  // a name that others may have found is claimed as visible
};

/// Where each partition is kept in a view.
using Primaries = std::array<NodeId, directory_partitions>;

class DirectoryPrimary {
 public:
  struct Answer {
    NodeId to = NodeId::none;
    directory::Told told;
  };

  DirectoryPrimary(NodeId self, std::size_t waiting_max, DirectoryProtections protections)
      : self_(self), waiting_max_(waiting_max), protections_(protections) {}

  void install(const std::shared_ptr<const View>& view, const Primaries& primaries);
  /// Of the installed view. False: nothing is wanted of `from`, or it has told that before.
  bool take_claims(NodeId from, const directory::Claims& claims);
  /// Asked in the installed view.
  void ask(NodeId from, const directory::Ask& asked);
  /// Whether this member's lease runs, before each of the others: else it may have been removed,
  /// and who succeeds it may know more.
  void set_lease(bool runs) noexcept { lease_ = runs; }

  /// Since the last call; in order.
  std::vector<Answer> take_answers() { return std::exchange(answers_, {}); }
  /// Every member of the view has said what it holds: all partitions are open.
  bool heard_all() const noexcept { return silent_ == 0; }
  /// Those that have not.
  std::vector<NodeId> missing() const;
  /// What such a member is to be asked for: it has told part of it, perhaps.
  directory::Want wanted(NodeId of) const;
  std::size_t names() const noexcept;
  /// told(name, location), of each name.
  template <class Told>
  void each(Told told) const {
    for (const auto& [number, partition] : partitions_) {
      for (const auto& [name, entry] : partition.names) {
        told(name, Location{.pid = {entry.owner, entry.serial}, .epoch = entry.epoch});
      }
    }
  }
  /// Names that two members claimed: never, or there is a bug.
  std::uint64_t claimed_twice() const noexcept { return claimed_twice_; }

 private:
  struct Entry {
    NodeId owner = NodeId::none;
    std::uint64_t registration = 0;
    std::uint64_t serial = 0;
    Epoch epoch;
    bool confirmed = false;
  };
  struct Partition {
    bool open = false;
    bool kept = false;  // from the view before: nobody is asked
    std::unordered_map<std::string, Entry> names;
  };
  struct Sender {
    std::uint64_t told = 0;  // its registrations up to this one are here
    bool complete = false;
  };
  using Asked = std::tuple<NodeId, directory::What, std::uint64_t>;

  void open_if_heard();
  directory::Told told(const directory::Ask& asked, directory::Code code) const;
  directory::Told judge(NodeId from, Partition& partition, const directory::Ask& asked);

  const NodeId self_;
  const std::size_t waiting_max_;
  const DirectoryProtections protections_;
  std::shared_ptr<const View> view_;
  std::map<unsigned, Partition> partitions_;
  std::map<NodeId, Sender> senders_;  // all members of the view
  std::size_t silent_ = 0;            // of them, not complete
  std::uint64_t counter_ = 0;         // of epochs
  std::uint64_t claimed_twice_ = 0;
  bool lease_ = false;
  std::vector<std::pair<NodeId, directory::Ask>> waiting_;  // for closed partitions
  std::set<Asked> waiting_asked_;
  std::vector<Answer> answers_;
};

}  // namespace coterie
