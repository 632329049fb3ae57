#pragma once
// The `store` engine of agreement, its decisions only: views, leases and states by records that
// change by compare-and-set (docs/failover.md; the idea of a lease row that others watch is that
// of Chubby's and ZooKeeper's sessions, without a clock of the store). Pure: step(now, event)
// answers the actions to carry out, and reads no clock, thread or socket. One owner, one thread.
//
//   for (Action& action : core.step(now, event)) carry_out(action);
//
// A driver starts each ScanStore and CommitStore once and answers it once, with the clock read just
// before the statement was sent; answers may come in any order.
//
// Records: `agreement/view`; `agreement/lease/NAME/INCARNATION` for each member, whose version is
// the lease's counter; `agreement/evict/NAME/INCARNATION` while a member's renewals are refused;
// `agreement/join/NAME/INCARNATION` while one asks whoever writes the next view to take it in.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "process/ports/agreement.hpp"
#include "process/ports/storage.hpp"
#include "registry/agreement_terms.hpp"
#include "registry/connectivity.hpp"
#include "registry/record_codec.hpp"

namespace coterie {

/// Rules that tests switch off one at a time, to show that a checker notices. Always all on.
struct Protections {
  bool tombstones = true;         // V4, and who was removed never comes back
  bool counter_unchanged = true;  // a removal commits only if the counter is still the one watched
  bool row_present = true;        // a renewal commits only if its row is still there
  bool drift_margin = true;       // (1 - 2 rho), (1 + 2 rho) and the slack
  bool restart_wait = true;       // a failed or late answer starts every wait again
  bool from_sending = true;       // a lease runs from before its renewal was sent
  bool confirmed_only = true;     // only a renewal known to be committed extends the lease
  bool lease_waited_out = true;   // who is silent is removed after its lease, not before
  bool view_unchanged = true;     // a view replaces only the view that it was made from
  bool requests_judged = true;    // who asks is taken in only where it could join by itself
  bool joins_together = true;     // who was not the first to write the next view asks
};

struct AgreementOptions {
  Member self;                          // `since` is filled in
  std::string config_digest;            // of the keys that must be the same everywhere
  std::vector<std::string> configured;  // node names in the order of the configuration
  LeaseTiming timing;
  /// The lock on the state directory proves that no older run of this node lives.
  bool predecessor_dead = false;
  Protections protections;
};

class StoreAgreement final : public AgreementActions {
 public:
  // Events.
  struct Start {};
  struct Tick {};
  struct Scanned {
    std::uint64_t id = 0;
    Time started;
    StorageResult<std::vector<Record>> records;
  };
  struct Committed {
    std::uint64_t id = 0;
    Time started;
    StorageResult<TransactionResult> result;
  };
  struct ConfirmDeath {
    std::string name;
    Incarnation incarnation;
  };
  struct Hint {};
  struct Drain {};
  struct Leave {};
  struct Heard {
    std::set<std::string> members;  // names; until the first one, this node is not judged by it
  };
  using Event =
      std::variant<Start, Tick, Scanned, Committed, ConfirmDeath, Hint, Drain, Leave, Heard>;

  // Actions, to be carried out in order.
  struct ScanStore {
    std::uint64_t id = 0;
    std::string prefix;
  };
  struct CommitStore {
    std::uint64_t id = 0;
    Transaction transaction;
  };
  using Action = std::variant<ScanStore, CommitStore, InstallView, SetLeaseEnd, ChangeState,
                              SetTimer, Depart, Notice>;

  explicit StoreAgreement(AgreementOptions options);

  std::vector<Action> step(Time now, const Event& event);

  NodeState state() const noexcept { return state_; }
  Time lease_end() const noexcept { return lease_end_; }

  static std::string view_key();
  static std::string lease_key(std::string_view name, const Incarnation& incarnation);
  static std::string evict_key(std::string_view name, const Incarnation& incarnation);
  static std::string join_key(std::string_view name, const Incarnation& incarnation);

 private:
  // Another member's lease row, as watched from here.
  struct Watch {
    std::uint64_t version = 0;  // 0: no row
    Time since;                 // seen unchanged since then, without a failed or late answer
    unsigned changes = 0;       // how often it was seen to change
  };
  // A member's lease row, as it was read last.
  struct Row {
    std::string key;
    Bytes value{};
    std::optional<HeardReport> heard{};
  };
  // Somebody who asks to be taken into the next view, as its row was read last.
  struct Asking {
    std::optional<JoinRequest> request;  // none: of no known format
    std::uint64_t version = 0;           // 0: this node's own, written and not read yet
    Time since;                          // seen unchanged since then
  };
  struct Operation {
    enum class Kind : std::uint8_t { scan, renew, change };
    Kind kind = Kind::scan;
    Time issued;
  };

  void on(const Start&);
  void on(const Tick&) {}
  void on(const Scanned&);
  void on(const Committed&);
  void on(const ConfirmDeath&);
  void on(const Hint&) { read_wanted_ = true; }
  void on(const Drain&) { drain_wanted_ = true; }
  void on(const Leave&);
  void on(const Heard&);

  void renewed(Time started, const StorageResult<TransactionResult>& result);
  void changed(Time started, const StorageResult<TransactionResult>& result);
  bool learn_view(const Record* record);
  bool learn_row(const std::string& row, std::uint64_t version);
  bool learn_refusal(const std::vector<Record>& found);
  void learn_report(Row& row, const Bytes& value);
  void learn_connectivity(const std::vector<Record>& records);
  Bytes own_lease_row() const;
  void restart_waits();
  bool late(Time started) const;

  void proceed();
  void send_renewal();
  void send_scan();
  void propose();
  void propose_join();
  void propose_change();
  bool refused_to_join();
  void learn_requests(const std::vector<Record>& records);
  void send_request();
  bool its_turn_to_join() const;
  bool may_be_taken_in(const Asking& asking, const View& view) const;
  void take_in(View& next, Transaction& transaction) const;
  void clear_requests();
  bool propose_eviction();
  std::uint64_t watched_version(const std::string& row) const;
  Transaction::Condition view_condition() const;
  void remove(View& next, Transaction& transaction, const Member& member) const;
  Duration silence_wait() const;
  bool somebody_ends() const;
  bool removable(const Member& member) const;
  bool confirmed_dead(const Member& member) const;
  bool seen_alive(const Member& member) const;
  void send_change(Transaction transaction, std::optional<View> next);

  Duration own_lease() const;
  void extend_lease(Time end);
  void end_lease();
  void check_state();
  void forget_removed();
  void enter(NodeState state, std::string why);
  void install(View view, std::uint64_t version);
  void depart(Departure departure);
  void not_in_view(const std::string& why);
  void set_timer();
  std::uint64_t issue(Operation::Kind kind);
  bool outstanding(Operation::Kind kind) const;
  bool is_self(const Member& member) const;
  const Member* own_entry() const;

  const AgreementOptions options_;
  const std::string own_row_;
  const std::string own_evict_;
  const std::string own_request_;
  Time now_{};
  std::vector<Action> actions_;

  NodeState state_ = NodeState::joining;
  bool started_ = false;
  bool departed_ = false;
  bool member_ = false;  // a view with this incarnation has been seen
  Time lease_end_ = Time::min();

  View view_;                        // the newest one read
  std::map<std::string, Row> rows_;  // of its members, by name
  std::uint64_t view_version_ = 0;   // of its record; 0: none there
  bool view_known_ = false;          // no change of unknown outcome since the last read
  std::uint64_t installed_ = 0;
  std::optional<View> proposed_;  // by the change under way; none: an eviction record

  std::map<std::string, Asking> asking_;  // by the keys of their rows
  bool contended_ = false;                // another has written the view that this node is not in
  bool requested_ = false;                // the change under way writes this node's request
  std::map<std::string, Watch> watches_;  // by lease key
  std::deque<Incarnation> dead_;          // proven, bounded
  std::set<std::string> evictions_;       // keys of eviction records that exist
  struct Outside {
    Time since{};
    bool told = false;
  };
  std::map<std::string, Outside> outside_;  // lease key -> outside the largest connected group
  std::set<std::string> group_;             // the largest group, by name
  Time group_at_ = Time::min();             // when it was found
  bool reports_changed_ = false;            // or the view, since then
  std::optional<std::set<std::string>> heard_;

  std::map<std::uint64_t, Operation> operations_;
  std::uint64_t next_id_ = 1;
  Time next_renewal_ = Time::min();
  Time next_scan_ = Time::min();
  Time last_answer_ = Time::min();  // of the last good scan
  bool read_wanted_ = false;
  bool drain_wanted_ = false;
  bool leaving_ = false;
  Time timer_ = Time::max();
};

}  // namespace coterie
