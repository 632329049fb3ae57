#pragma once
// What a failover test does to its nodes, and when: the planned faults of a timeline, undone when
// they end, each asked again at its moment whether it still can and may be played. Pure: facts in,
// deeds out; no clock, process or file. One thread.
//
//   FailoverDirector director(timeline(scenario, nodes, seed), end);
//   each few ms: for (deed : director.step(now, facts, sighting)) director.done(now, deed,
//   do(deed))
//
// A fault that takes a node away waits for a fresh sighting, because only that says who owns a name
// and which names will miss their node.

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/failover_facts.hpp"
#include "sim/history.hpp"
#include "sim/timeline.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

/// Something to do to a node now; `begin` and `end`: what a fault does to links, disks, clocks and
/// names.
struct Deed {
  enum class Verb : std::uint8_t { kill, power_off, stop, start, pause, resume, begin, end };
  Verb verb = Verb::kill;
  std::string node;  // empty: of no node alone
  /// The fault behind it, its selectors resolved; compared by identity.
  std::shared_ptr<const PlannedFault> fault{};
  bool drawn = false;  // by the seed, so that it may be kept back
  friend bool operator==(const Deed&, const Deed&) = default;
};
std::string_view to_string(Deed::Verb verb) noexcept;

struct DirectorPolicy {
  /// So long a fault of the file waits for its moment to make sense: for an owner to be found, for
  /// a node to be down.
  Duration patience = std::chrono::seconds(5);
  /// So long a fault waits for a sighting before it goes without one.
  Duration sighting_wait = std::chrono::milliseconds(1500);
  /// Of these members, the one that "primary:KIND/ID" means; none: nobody hosts the kind.
  std::function<std::optional<std::string>(const std::string& name,
                                           std::span<const std::string> members)>
      primary{};
};

class FailoverDirector {
 public:
  FailoverDirector(std::vector<PlannedFault> faults, Duration end, DirectorPolicy policy = {});

  /// A fault that is due needs a sighting that was asked at this moment or later.
  std::optional<Duration> wants_sighting(Duration now) const noexcept;

  /// `facts`: every node of the scenario. `sighting`: the latest one that is complete.
  std::vector<Deed> step(Duration now, std::span<const NodeFacts> facts, const Sighting* sighting);
  /// After each deed, in order: what the system answered.
  void done(Duration now, const Deed& deed, const std::expected<void, std::string>& result);

  /// Nothing more is planned or to be undone. What is still to be undone at the end of the timeline
  /// is undone then.
  bool finished() const noexcept {
    return next_ == faults_.size() && waiting_.empty() && undo_.empty();
  }

  bool paused(const NodeFacts& node) const;
  std::optional<Duration> paused_since(const NodeFacts& node) const;
  /// The end of this node's program is the doing of a fault, so far as can be known.
  bool death_is_asked_for(const std::string& node) const { return doomed_.contains(node); }
  /// A program ended that no fault was sent to. True: a poisonous name did it, and nothing else is
  /// to be asked for it; it stays down unless its guardian or the timeline starts it.
  bool poison_took(const std::string& node, Duration now);
  /// Its program runs again: the next end is another matter.
  void came_back(const std::string& node);
  /// Nodes that the timeline leaves down or paused for good, so that nobody waits for them.
  std::set<std::string> left_away() const;

  const std::vector<FaultMoment>& moments() const noexcept { return moments_; }
  const std::vector<std::string>& texts() const noexcept { return texts_; }
  std::vector<Event> take_events() { return std::exchange(events_, {}); }
  /// Faults of the file that could not be played, with the reason. Drawn ones that max_down keeps
  /// back are not among them.
  const std::vector<std::string>& unplayed() const noexcept { return unplayed_; }

 private:
  struct Pause {
    std::int64_t program = 0;
    Duration since{};
  };
  struct Undo {
    Duration at{};
    Deed deed;
    std::int64_t program = 0;  // a resume is for this run only
  };
  struct Decision {
    enum class Kind : std::uint8_t { play, wait, drop, needless } kind = Kind::play;
    std::string node, why;
    std::optional<PlannedFault> fault{};  // to play, the ends of its links resolved
  };

  Decision consider(const PlannedFault& fault, Duration now, std::span<const NodeFacts> facts,
                    const Sighting* sighting) const;
  Decision resolve(const NodeSelector& selector, std::span<const NodeFacts> facts,
                   const Sighting* sighting) const;
  Decision fits(FaultKind kind, const NodeFacts& node) const;
  std::size_t away(std::span<const NodeFacts> facts) const;
  void play(const PlannedFault& fault, const std::string& node, Duration now,
            std::span<const NodeFacts> facts, std::vector<Deed>& deeds);
  void play_beside(const PlannedFault& fault, const std::string& node, Duration now,
                   std::vector<Deed>& deeds);
  void undo(Duration now, std::span<const NodeFacts> facts, std::vector<Deed>& deeds);
  void note(Duration now, std::string what, std::string text);

  const std::vector<PlannedFault> faults_;
  const Duration end_;
  const DirectorPolicy policy_;
  std::size_t next_ = 0;              // into faults_
  std::vector<std::size_t> waiting_;  // due, not played yet
  std::vector<Undo> undo_;
  std::map<std::string, Pause> pauses_;
  std::set<std::string> doomed_;
  std::set<std::string> ending_;  // of those, by more than a pause
  std::size_t poisons_ = 0;                                // that have killed nobody yet
  std::set<std::string> gone_;                             // sent away without a way back
  std::map<std::string, std::vector<std::string>> lived_;  // names per node, as last seen
  Duration sighted_ = Duration::min();                     // when the last sighting was asked for
  std::vector<FaultMoment> moments_;
  std::vector<std::string> texts_;
  std::vector<Event> events_;
  std::vector<std::string> unplayed_;
};

}  // namespace coterie::sim
