#pragma once
// Runs the decisions of StoreNames against a real store: one strand for the logic, one for the
// store's statements, which may block, and a cache of locations beside the callers. Whatever is
// queued while a commit is under way goes into the next one, so many names are taken quickly.
// Owned by the node. Functions may be called from any thread and never block; callbacks run on the
// logic strand, once each, and must not block: parking a process is the caller's affair.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "process/ports/agreement.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/name_service.hpp"
#include "process/ports/storage.hpp"
#include "registry/name_cache.hpp"
#include "registry/store_names.hpp"

namespace coterie {

class StoreNamesDriver final {
 public:
  using ReserveCallback = std::move_only_function<void(NameResult<Registration>)>;
  using ConfirmCallback = std::move_only_function<void(NameResult<void>)>;
  using LookupCallback = std::move_only_function<void(NameResult<Location>)>;
  using Request = StoreNames::Request;

  struct Options {
    NamesOptions names;
    std::size_t cache_max = 100'000;  // entries; an entry takes about 200 bytes
  };

  /// Everything referred to must outlive the driver. `newer_view` asks the agreement to read now
  /// (Agreement::hint); `notice` gets lines for the log. Both on the logic strand.
  StoreNamesDriver(Options options, Records& records, const Clock& clock, Executor& executor,
                   std::function<void()> newer_view,
                   std::function<void(std::string_view)> notice = {});
  /// Waits for the statement and the callback under way; callbacks not yet run are dropped. Not
  /// from a callback.
  ~StoreNamesDriver();
  StoreNamesDriver(const StoreNamesDriver&) = delete;
  StoreNamesDriver& operator=(const StoreNamesDriver&) = delete;

  /// From AgreementEvents.
  void view_installed(std::shared_ptr<const View> view);
  /// This incarnation is out: everything is answered `unavailable`, now and from now on.
  void stop(std::string why);

  /// The name is this node's once the callback says so: then init may run. Until confirmed nobody
  /// finds it. Errors: taken (with the holder), unavailable (by `deadline`, of the clock).
  /// The answer's number can withdraw the request.
  Request reserve(std::string_view registry, std::string_view key, Pid owner, Time deadline,
                  ReserveCallback callback);
  void confirm(std::string_view registry, std::string_view key, const Registration& registration,
               Time deadline, ConfirmCallback callback);
  /// The process has ended. In order with what is asked for the same name on this node; repeated
  /// until it is done. Forgets the location at once.
  void release(std::string_view registry, std::string_view key, const Registration& registration);
  /// The caller gives up: its callback is dropped, what was reserved is given back. (A deadline
  /// that passes does that by itself, and does call back.)
  void withdraw(std::string_view registry, std::string_view key, Request request);

  /// What was last seen, without asking the store; nullopt: not known here.
  std::optional<Location> cached(std::string_view registry, std::string_view key) const;
  /// Reads the store: linearizable. Errors: not_found, unavailable.
  void lookup(std::string_view registry, std::string_view key, Time deadline,
              LookupCallback callback);
  /// A `stale` answer came from that location.
  void forget(std::string_view registry, std::string_view key, const Location& location);
  void forget_epoch(const Epoch& epoch) { cache_.forget(epoch); }

  /// Changes asked for and not yet done. 0: every release so far is durable.
  std::size_t changes_pending() const noexcept {
    return changes_posted_.load() + changes_pending_.load();
  }

 private:
  struct LookupWaiting {
    std::string name;
    LookupCallback callback;
  };
  struct ConfirmWaiting {
    std::string name;
    ConfirmCallback callback;
  };

  void step(const StoreNames::Event& event);
  void carry_out(StoreNames::Action& action);
  void to_logic(Strand::Job job);
  void to_store(Strand::Job job);
  template <class Waiting>
  static std::optional<Waiting> take(std::unordered_map<Request, Waiting>& waiting,
                                     Request request);

  StoreNames core_;  // this and the callbacks: on the logic strand only
  std::unordered_map<Request, ReserveCallback> reserving_;
  std::unordered_map<Request, ConfirmWaiting> confirming_;
  std::unordered_map<Request, LookupWaiting> looking_;
  std::uint64_t timer_ = 0;

  Records& records_;
  const Clock& clock_;
  const std::function<void()> newer_view_;
  const std::function<void(std::string_view)> notice_;
  NameCache cache_;
  std::atomic<Request> next_request_ = 1;
  std::atomic<std::size_t> changes_pending_ = 0;
  std::atomic<std::size_t> changes_posted_ = 0;  // raised before and lowered after pending's change
  std::mutex mutex_;                             // guards closed_ and the strands' existence
  bool closed_ = false;                          // no more posts: a strand may be gone
  std::unique_ptr<Strand> logic_;
  std::unique_ptr<Strand> store_;
};

}  // namespace coterie
