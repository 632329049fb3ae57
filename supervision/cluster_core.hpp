#pragma once
// What the instance of a cluster-scope supervisor on one node decides: which children are its own,
// which orphans it claims, when it starts, retries, gives up, hands over. Pure: it has no clock,
// thread, storage or socket. One process feeds it events and carries out its actions:
//
//   core.view_installed(view, active, now);          // or any other event
//   for (auto& action : core.take()) perform(action); // their answers come back as events
//   wake me at core.next_wake();                      // then core.tick(now)
//
// Safety rests on two things only: a row changes by compare-and-set of its version, and a row is an
// orphan only if its owner is missing from a view that is not older than the row.
// docs/supervision.md.

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "process/ports/agreement.hpp"
#include "process/ports/placement.hpp"
#include "process/ports/random.hpp"
#include "supervision/restart_intensity.hpp"
#include "supervision/spec_row.hpp"

namespace coterie::detail {

struct ClusterOptions {
  std::string supervisor;
  std::string kind;
  std::string registry;
  std::string node;
  NodeId node_id = NodeId::none;
  std::size_t max_children = 1'000'000;  // of this instance
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  std::size_t starts_in_flight = 512;
  std::size_t rows_per_commit = 512;
  std::size_t handovers_in_flight = 64;
  unsigned local_tries = 3;                       // failed starts here before another node tries
  std::size_t quarantine_deaths = 2;              // crashes during which it ran a callback
  Duration probation = std::chrono::seconds(60);  // runs well so long: earlier trouble is forgotten
  Duration sweep = std::chrono::seconds(3);       // between two looks at all rows
};

/// Names a request of a caller until its Answer.
using RequestId = std::uint64_t;

/// A row as it was read.
struct FoundRow {
  std::string key{};
  std::uint64_t version = 0;
  SpecRow row{};
};

struct FoundRows {
  std::vector<FoundRow> rows{};
  /// Keys of rows that cannot be decoded, and why.
  std::vector<std::pair<std::string, std::string>> unreadable{};
  /// Of a page: the next one begins after this; empty: it is the last.
  std::string next{};
};

struct RowWrite {
  std::string key{};
  std::uint64_t version = 0;     // must be the stored one; 0: absent
  std::optional<Bytes> value{};  // nothing: delete
  std::uint64_t claim = 0;       // in the value
  bool any_version = false;      // only by a mutation
};
struct RowResult {
  enum class Outcome : std::uint8_t { committed, refused, lost };
  Outcome outcome = Outcome::lost;  // lost: storage failed; it may have been or be applied
  std::uint64_t version = 0;        // committed: the new one
  std::optional<FoundRow> found{};  // refused: what is there instead; nothing: no row
};

namespace act {
struct Scan {  // read the page of rows that begins after this key: answer scanned()
  std::string after;
};
struct Read {  // read these: answer rows_read()
  std::vector<std::string> keys;
};
struct Write {  // one commit: answer wrote() with a result for each
  std::vector<RowWrite> writes;
};
struct Start {  // answer started() or start_failed()
  std::string key;
  Bytes args;
};
struct Stop {  // answer exited(), once
  std::string key;
};
struct Answer {
  RequestId request = 0;
  ChildResult<Pid> result;
};
struct Resolve {  // the name exists elsewhere: answer the request with where it runs
  RequestId request = 0;
  std::string key;
};
struct Adopt {  // tell that node's instance
  std::string node;
  std::vector<std::string> keys;
};
struct Drained {
  std::uint64_t left = 0;
};
struct Escalate {  // restart intensity reached: exit with shutdown
  std::string key;
};
struct Note {  // for the log
  enum class Level : std::uint8_t { info, warning, error };
  Level level = Level::info;
  std::string text, key, why;
};
}  // namespace act

using Action = std::variant<act::Scan, act::Read, act::Write, act::Start, act::Stop, act::Answer,
                            act::Resolve, act::Adopt, act::Drained, act::Escalate, act::Note>;

class ClusterCore {
 public:
  /// Protections that a test may switch off to see that it would notice.
  struct Mutations {
    bool claim_without_compare = false;  // claims overwrite whatever version is there
    bool judge_newer_rows = false;       // an older view judges rows of a newer one
    bool adopt_during_erase = false;     // a scan that began before a deletion may bring it back
  };

  ClusterCore(ClusterOptions options, const Placement& placement, Random& random);

  // ---- events
  /// `active`: this node holds its lease; while it does not, nothing is claimed or started.
  void view_installed(std::shared_ptr<const View> view, bool active, Time now);
  void tick(bool active, Time now);
  void start_request(RequestId request, ClusterChild child, Time now);
  /// Of a child of this instance; false: it is not one, look at its row.
  bool terminate_request(RequestId request, const std::string& key, Time now);
  /// Of a row that no living node owns.
  void terminate_orphan(RequestId request, FoundRow row, Time now);
  void release_request(RequestId request, FoundRow row, Time now);
  void node_died(NodeId node, const std::vector<std::string>& running, Time now);
  void adopt(std::vector<std::string> keys);
  void drain(Time deadline, Time now);

  // ---- answers to actions
  /// A page of the rows; nothing: the scan failed, and nothing is known of the rest.
  void scanned(std::optional<FoundRows> page, Time now);
  void rows_read(FoundRows found, Time now);
  void wrote(std::vector<RowResult> results, Time now);
  void started(const std::string& key, Pid pid, Time now);
  void start_failed(const std::string& key, const StartError& error, Time now);
  void exited(const std::string& key, const ExitReason& reason, Time now);

  std::vector<Action> take();
  /// When tick() is due at the latest.
  Time next_wake() const;

  ClusterStatus status() const;
  std::vector<ChildInfo> children() const;
  std::size_t running() const noexcept { return running_; }
  Mutations& mutations() noexcept { return mutations_; }

 private:
  enum class Phase : std::uint8_t {
    writing,  // its row is being inserted, claimed or changed before it may run
    queued,   // owned, waits for a free start
    starting,
    running,
    waiting,   // until retry_at
    stopping,  // told to stop; `then` follows
    deleting,  // stopped; its row is being deleted
    leaving,   // stopped; its row goes to another node, or says failed or quarantined
  };
  static constexpr std::size_t phases = 8;
  enum class Then : std::uint8_t { erase, remove, hand_over, quarantine };

  struct Child {
    FoundRow row;  // version 0 until the insert is committed
    Phase phase = Phase::writing;
    Then then = Then::erase;
    bool doomed = false;       // terminate_child came while it could not be stopped
    bool writing = false;      // a write of its row is pending
    bool dirty = false;        // another one is to follow
    bool in_handover = false;  // counted in handovers_
    std::optional<Then> next;  // decided while it could not be stopped
    Pid pid;
    RequestId request = 0;  // the start_child that made it and is not answered yet; 0: none
    std::optional<ChildError> failure;    // its answer, once the row is gone again
    std::uint64_t doubtful_insert = 0;    // claim of an insert whose answer was once lost
    std::vector<RequestId> terminations;  // who waits for its end
    NodeId claimed_from = NodeId::none;
    std::uint64_t settled = 0;  // number of the last scan begun when its row became ours
    std::uint64_t seen = 0;     // number of the last scan that found its row to be ours
    unsigned failures = 0;      // starts that failed here in a row
    unsigned waits = 0;         // starts that could not be decided, in a row
    std::vector<Time> crashes;
    Time retry_at{};
    Time probation_end = Time::max();
    std::string next_owner;  // leaving: who is told
  };
  using Children = std::unordered_map<std::string, Child>;

  struct Pending {
    RowWrite write{};
    RequestId request = 0;  // of an orphan's row: answered with the outcome
    std::string home{};     // who is told once it is committed
  };

  // cluster_core_rows.cpp
  void note_unreadable(const FoundRows& found);
  void judge(FoundRow&& found);
  void judge_orphan(FoundRow&& found);
  void claim(FoundRow&& found);
  void see(const FoundRows& page);
  void end_scan(bool complete, Time now);
  void forget_lost_children();
  void enqueue(RowWrite write, bool urgent, RequestId request = 0, std::string home = {});
  void row_gone(const std::string& key);
  void write_row(const std::string& key, Child& child, bool urgent);
  void settle_write(Pending& pending, RowResult& result);
  void row_committed(const std::string& key, Child& child, std::uint64_t version);
  void row_lost(const std::string& key, std::optional<FoundRow> found);
  bool in_view(NodeId node) const;
  std::vector<std::string> homes(const SpecRow& row, bool without_me) const;

  // cluster_core_children.cpp
  void queue_start(const std::string& key, Child& child);
  void retry_later(const std::string& key, Child& child, Duration base, unsigned count, Time now);
  void give_up_here(const std::string& key, Child& child, std::string reason);
  void begin_delete(const std::string& key, Child& child);
  void begin_stop(const std::string& key, Child& child, Then then);
  void hand_over(const std::string& key, Child& child);
  void quarantine(const std::string& key, Child& child);
  void proceed(const std::string& key, Child& child, Then then);
  void stopped(const std::string& key, Child& child);
  bool suspect(SpecRow& row, NodeId node) const;
  void set_pid(Child& child, Pid pid);
  void leave(const std::string& key, Child& child);
  void crashed(const std::string& key, Child& child, const ExitReason& reason, Time now);
  void erase(const std::string& key);

  // cluster_core.cpp
  Child& add_child(const std::string& key);
  void set_phase(Child& child, Phase phase);
  void pump(Time now);
  void pump_drain(Time now);
  void answer(RequestId request, ChildResult<Pid> result);
  void refuse(RequestId request, ChildError::Code code, std::string detail = {},
              ExitReason reason = {});
  void note(act::Note::Level level, std::string text, const std::string& key, std::string why);
  void wake_child(const std::string& key, Time at) { due_.emplace(at, key); }

  ClusterOptions options_;
  const Placement& placement_;
  Random& random_;
  Mutations mutations_;

  std::shared_ptr<const View> view_ = std::make_shared<const View>();
  bool active_ = false;
  bool fenced_ = false;
  bool draining_ = false;
  bool drained_ = false;
  Time drain_deadline_ = Time::max();

  Children children_;
  std::array<std::size_t, phases> in_phase_{};  // how many children are in each
  std::deque<std::string> start_queue_, drain_queue_;
  std::size_t starting_ = 0, running_ = 0, handovers_ = 0;
  std::multimap<Time, std::string> due_;

  std::deque<Pending> urgent_, bulk_;  // writes not yet in a commit
  std::vector<Pending> committing_;
  Time storage_retry_at_{};
  unsigned storage_failures_ = 0;

  bool scan_wanted_ = false, scanning_ = false;
  std::size_t reads_ = 0;
  std::uint64_t scans_ = 0;
  std::size_t scan_failed_ = 0, scan_quarantined_ = 0, scan_unreadable_ = 0;  // so far
  Time next_sweep_{}, scan_begun_{};
  std::unordered_set<std::string> erased_;    // since the oldest read that is under way began
  std::unordered_set<std::uint64_t> ghosts_;  // claims of inserts that may yet apply, and must not
  std::unordered_set<std::string> unreadable_;  // rows that were told of
  std::map<NodeId, std::unordered_set<std::string>> death_reports_;
  std::deque<NodeId> death_order_;

  RestartIntensity intensity_;
  ClusterStatus totals_;
  std::vector<Action> actions_;
};

}  // namespace coterie::detail
