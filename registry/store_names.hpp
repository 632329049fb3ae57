#pragma once
// Strict names with the `store` engine, the decisions only: each name is one record that changes
// by compare-and-set. Pure: step(now, event) answers the actions; no clock, thread or socket. One
// owner, one thread. docs/failover.md says what is promised and why it holds.
//
// Records: `names/row/…` one per name; `names/view` the number of the highest view under which
// names were registered; `names/session/NODE` whose version is a condition of every change that
// the node makes. When the outcome of a statement is not known, the node writes its session's
// record again: from then on the lost statement cannot take effect any more, so what is read next
// is the truth and no row is left behind that nobody knows of.
//
// Operations on one name are carried out in the order in which they were asked for; what is ready
// of all names goes into one commit.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "process/ports/agreement.hpp"
#include "process/ports/name_service.hpp"
#include "process/ports/storage.hpp"
#include "registry/name_requests.hpp"
#include "registry/record_codec.hpp"

namespace coterie {

/// Rules that tests switch off one at a time. Always all on.
struct NameProtections {
  bool session_fence = true;    // lost statements are made void before anything is asked again
  bool view_record = true;      // nobody registers in an older view than somebody before
  bool newer_row_waits = true;  // a row of a newer view is judged in that view
  bool own_id_taken = true;     // an own row under another registration id is taken, not free
  bool withdrawn_freed = true;  // a reservation that comes through after all is given back
  bool ended_freed = true;      // ... also if the answer found nobody any more
  bool row_unchanged = true;    // a row is replaced only as it was judged
  bool owner_in_view = true;    // the row of a member is taken
  bool ok_in_view = true;       // an ok counts only in the view in which it was asked for
};

struct NamesOptions {
  std::string node;
  Incarnation incarnation;
  std::size_t batch_max = 512;                           // changes in one commit, keys in one read
  Duration retry_after = std::chrono::milliseconds(50);  // after the store failed
  /// How often the rows are deleted whose owners are gone and whose names nobody has taken since.
  /// They count as free anyway: this only keeps the table small. It reads all rows, so one node
  /// does it: the view's first.
  Duration sweep_every = std::chrono::minutes(10);
  NameProtections protections;
};

class StoreNames final {
 public:
  static constexpr std::size_t row_key_bytes_max = 1000;  // longer names are refused
  using Request = name_requests::Request;

  // Events.
  struct Installed {
    std::shared_ptr<const View> view;
  };
  using Reserve = name_requests::Reserve;
  using Confirm = name_requests::Confirm;
  using Release = name_requests::Release;
  using Lookup = name_requests::Lookup;
  using Withdraw = name_requests::Withdraw;
  struct Committed {
    std::uint64_t id = 0;
    StorageResult<std::vector<TransactionResult>> results;
  };
  struct Fetched {
    std::uint64_t id = 0;
    StorageResult<std::vector<std::optional<Record>>> records;
  };
  struct Scanned {
    std::uint64_t id = 0;
    StorageResult<std::vector<Record>> records;
  };
  struct Tick {};
  /// This incarnation is out: everything is answered, nothing is asked any more.
  struct Stop {
    std::string why;
  };
  using Event = std::variant<Installed, Reserve, Confirm, Release, Lookup, Withdraw, Committed,
                             Fetched, Scanned, Tick, Stop>;

  // Actions.
  struct CommitStore {
    std::uint64_t id = 0;
    std::vector<Transaction> transactions;
  };
  struct FetchStore {
    std::uint64_t id = 0;
    std::vector<std::string> keys;
  };
  struct ScanStore {
    std::uint64_t id = 0;
    std::string prefix;
  };
  using Reserved = name_requests::Reserved;
  using Confirmed = name_requests::Confirmed;
  using Found = name_requests::Found;
  struct ReadView {};  // a newer view exists: hint to the agreement
  struct SetTimer {
    Time at;
  };
  struct Notice {
    std::string text;
  };
  using Action = std::variant<CommitStore, FetchStore, ScanStore, Reserved, Confirmed, Found,
                              ReadView, SetTimer, Notice>;

  explicit StoreNames(NamesOptions options);

  std::vector<Action> step(Time now, const Event& event);

  /// Names that this node holds or that operations are under way for.
  std::size_t names() const noexcept { return names_.size(); }
  /// Changes not yet done. 0: every release asked for is durable.
  std::size_t changes_pending() const noexcept { return changes_pending_; }

  /// The events' names are keys of rows.
  static std::string row_key(std::string_view name);
  static std::string view_key();
  static std::string session_key(std::string_view node);

 private:
  struct Operation {
    enum class Kind : std::uint8_t { reserve, confirm, release };
    Kind kind = Kind::reserve;
    Request request = 0;  // 0: nobody waits for an answer
    std::uint64_t registration = 0;
    std::uint64_t serial = 0;
    std::uint64_t asked_in = 0;  // the view's number
  };
  struct Held {
    std::uint64_t registration = 0;
    std::uint64_t serial = 0;
    std::uint64_t version = 0;
    Epoch epoch;
    bool confirmed = false;
  };
  struct Name {
    std::deque<Operation> operations;
    std::optional<Held> held;
    std::uint64_t version = 0;  // of the row that the first operation may replace
    bool queued = false;        // in ready_, in flight or waiting for a view
    bool in_flight = false;
  };
  struct Asked {  // who waits for what
    enum class What : std::uint8_t { reserve, confirm, lookup };
    std::string name;
    What what = What::reserve;
  };

  void on(const Installed& installed);
  void on(const Reserve& reserve);
  void on(const Confirm& confirm);
  void on(const Release& release);
  void on(const Lookup& lookup);
  void on(const Withdraw& withdraw);
  void on(const Committed& committed);
  void on(const Fetched& fetched);
  void on(const Scanned& scanned);
  void on(const Tick&) {}
  void on(const Stop& stop);

  void proceed();
  void expire();
  void prepare();
  void send_batch();
  void begin_sweep();
  void send_sweep();
  void send_fetch();
  void set_timer();
  Transaction change(const std::string& key, Name& name, Operation& operation) const;

  void prepared(const StorageResult<std::vector<TransactionResult>>& results);
  void changed(const std::vector<std::string>& keys,
               const StorageResult<std::vector<TransactionResult>>& results);
  void learn_view_record(const Record* record);
  void learn_session_record(const Record* record);
  void accepted(const std::string& key, Name& name, const TransactionResult& result);
  void refused(const std::string& key, Name& name, const TransactionResult& result);
  void judge_reserve(const std::string& key, Name& name, const Record* record);
  void judge_confirm(const std::string& key, Name& name, const Record* record);
  void judge_release(const std::string& key, Name& name, const Record* record);
  void confirmed(const std::string& key, Name& name);
  void reserved(const std::string& key, Name& name, const NameRow& row, std::uint64_t version);
  void found(const std::string& key, const std::optional<Record>& record);

  void add(const std::string& key, Operation operation, Time deadline);
  void finish(const std::string& key, Name& name);
  void ready(const std::string& key, Name& name);
  void wait_for_view(std::uint64_t number);
  void unknown_outcome();
  void give_up(Request request, const std::string& why);
  void fail(Request request, NameError error);
  NameError unavailable(std::string why) const;
  bool owner_in_view(const NameRow& row) const;
  bool own(const NameRow& row) const { return row.incarnation == options_.incarnation; }
  bool usable() const;
  bool sweeps() const;  // this node is the one

  const NamesOptions options_;
  const std::string session_key_;
  Time now_{};
  std::vector<Action> actions_;
  std::shared_ptr<const View> view_;
  std::unordered_set<NodeId> members_;  // of view_
  bool stopped_ = false;
  std::string stopped_why_;

  bool prepared_ = false;     // the versions below hold as far as is known
  bool read_session_ = true;  // they must be read
  bool void_lost_ = true;     // statements of unknown outcome: write the session's record again
  std::uint64_t view_version_ = 0;
  std::uint64_t view_number_ = 0;  // in the record
  std::uint64_t session_version_ = 0;
  std::uint64_t preparing_number_ = 0;  // written by the preparation under way

  std::unordered_map<std::string, Name> names_;
  std::size_t changes_pending_ = 0;
  std::deque<std::string> ready_;
  std::map<std::uint64_t, std::vector<std::string>> waiting_;  // view number -> names
  std::unordered_map<Request, Asked> asked_;
  using Deadline = std::pair<Time, Request>;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;

  std::unordered_map<std::string, std::vector<Request>> lookups_;   // waiting to be fetched
  std::unordered_map<std::string, std::vector<Request>> fetching_;  // being fetched
  std::map<std::uint64_t, std::unordered_map<std::string, std::vector<Request>>> lookups_later_;

  std::uint64_t next_id_ = 1;
  std::uint64_t preparing_ = 0, session_read_ = 0, batch_ = 0, fetch_ = 0;  // ids under way
  std::vector<std::string> batch_keys_;
  std::vector<std::string> fetch_keys_;
  std::uint64_t sweep_scan_ = 0, sweep_ = 0;                     // ids under way
  std::deque<std::pair<std::string, std::uint64_t>> abandoned_;  // rows to delete, with versions
  Time next_sweep_ = Time::max();
  Time retry_at_ = Time::min();
  Time timer_ = Time::max();
};

}  // namespace coterie
