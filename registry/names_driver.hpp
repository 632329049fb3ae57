#pragma once
// What asks about names of cluster scope and waits for the answer, whoever keeps them: the store
// (StoreNamesDriver) or the members (DirectoryDriver). Keeps who waits, and a cache of locations
// beside the callers. Owned by the node. Functions may be called from any thread and never block;
// callbacks run once each, on a thread of the keeper's or on the caller's own, with no lock held,
// and must not block: parking a process is the caller's affair.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "process/ports/agreement.hpp"
#include "process/ports/name_service.hpp"
#include "registry/name_cache.hpp"
#include "registry/name_requests.hpp"

namespace coterie {

class NamesDriver {
 public:
  using ReserveCallback = std::move_only_function<void(NameResult<Registration>)>;
  using ConfirmCallback = std::move_only_function<void(NameResult<void>)>;
  using LookupCallback = std::move_only_function<void(NameResult<Location>)>;
  using Request = name_requests::Request;

  virtual ~NamesDriver() = default;
  NamesDriver(const NamesDriver&) = delete;
  NamesDriver& operator=(const NamesDriver&) = delete;

  /// From AgreementEvents.
  void view_installed(std::shared_ptr<const View> view);
  /// This incarnation is out: everything is answered `unavailable`, now and from now on.
  virtual void stop(std::string why) = 0;

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

  /// What was last seen, without asking the keeper; nullopt: not known here.
  std::optional<Location> cached(std::string_view registry, std::string_view key) const;
  /// Asks the keeper: linearizable. Errors: not_found, unavailable.
  void lookup(std::string_view registry, std::string_view key, Time deadline,
              LookupCallback callback);
  /// A `stale` answer came from that location.
  void forget(std::string_view registry, std::string_view key, const Location& location);
  void forget_epoch(const Epoch& epoch) { cache_.forget(epoch); }

  /// Changes asked for and not yet done. 0: every release so far is done.
  virtual std::size_t changes_pending() const noexcept = 0;

  /// Locations that are kept beside the callers, and how many at most.
  const NameCache& cache() const noexcept { return cache_; }

 protected:
  using Asked = std::variant<name_requests::Reserve, name_requests::Confirm, name_requests::Release,
                             name_requests::Lookup, name_requests::Withdraw>;

  /// An entry of the cache takes about 200 bytes.
  NamesDriver(std::size_t cache_max, bool cache_bounded) : cache_(cache_max, cache_bounded) {}

  /// To be carried out in the order of the calls.
  virtual void ask(Asked asked) = 0;
  virtual void install(std::shared_ptr<const View> view) = 0;

  // Of the keeper, with none of its locks held.
  void answer(name_requests::Reserved&& reserved);
  void answer(name_requests::Confirmed&& confirmed);
  void answer(name_requests::Found&& found);
  /// The release has been asked of the keeper: what was remembered meanwhile goes too.
  void released(const std::string& name, const Epoch& epoch) { cache_.forget(name, epoch); }

 private:
  struct Waiting {
    std::string name;
    std::variant<ReserveCallback, ConfirmCallback, LookupCallback> callback;
  };
  Request wait(std::string name, decltype(Waiting::callback) callback);
  std::optional<Waiting> take(Request request);

  NameCache cache_;
  std::atomic<Request> next_request_ = 1;
  std::mutex waiting_mutex_;
  std::unordered_map<Request, Waiting> waiting_;
};

}  // namespace coterie
