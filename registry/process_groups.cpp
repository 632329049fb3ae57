#include <coterie/process_groups.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include <coterie/via_registry.hpp>

#include "process/runtime.hpp"
#include "registry/group_driver.hpp"

namespace coterie::pg {
namespace {

using namespace coterie::detail;

using Members = std::vector<Pid>;
using AllMembers = std::map<std::string, Members>;

struct Join {
  using Reply = void;
  std::string group;
  Members pids;
};
struct Leave {
  using Reply = bool;
  std::string group;
  Members pids;
};
struct Watch {
  using Reply = std::pair<Ref, Members>;
  std::string group;
};
struct WatchAll {
  using Reply = std::pair<Ref, AllMembers>;
};
struct Unwatch {
  using Reply = bool;
  Ref monitor;
};

/// The process of one scope on one node.
class Scope final : public GenServer {
 public:
  using Calls = Messages<Join, Leave, Watch, WatchAll, Unwatch>;
  using Infos = GroupDriver::Infos;

  explicit Scope(std::string name)
      : name_(std::move(name)),
        table_(std::make_shared<GroupTable>(self().node)),
        driver_(name_, table_, [this](const GroupChange& change) { tell(change); }) {}

  Init init() {
    if (!add_via_registry(name_, table_)) {
      return stop_init(ExitReason::term("registry_exists_" + name_));
    }
    driver_.start();
    return ok();
  }

  void handle_call(const Join& join) { driver_.join(join.group, join.pids); }
  bool handle_call(const Leave& leave) { return driver_.leave(leave.group, leave.pids); }
  Outcome<Watch::Reply> handle_call(const Watch& watch, From<Watch> from) {
    const Ref ref = coterie::monitor(from.pid());
    watchers_.emplace(ref, Watcher{from.pid(), watch.group});
    by_group_[watch.group].insert(ref);
    return reply(std::pair(ref, table_->members(watch.group)));
  }
  Outcome<WatchAll::Reply> handle_call(const WatchAll&, From<WatchAll> from) {
    const Ref ref = coterie::monitor(from.pid());
    watchers_.emplace(ref, Watcher{from.pid(), std::nullopt});
    of_scope_.insert(ref);
    AllMembers all;
    for (auto& [group, pids] : table_->all()) all.emplace(group, pids);
    return reply(std::pair(ref, std::move(all)));
  }
  Outcome<bool> handle_call(const Unwatch& unwatch, From<Unwatch> from) {
    const auto found = watchers_.find(unwatch.monitor);
    if (found == watchers_.end() || found->second.pid != from.pid()) return reply(false);
    coterie::demonitor(unwatch.monitor, false);
    end_watch(found);
    return reply(true);
  }

  template <class M>
  requires(Infos::contains<M>) void handle_info(const M& message) { driver_.handle(message); }
  void handle_info(const Down& down) {
    const auto watch = watchers_.find(down.ref);
    if (watch != watchers_.end()) {
      end_watch(watch);
    } else {
      driver_.handle(down);
    }
  }

  std::string format_status() const {
    return "{pg," + name_ + ",{groups," + std::to_string(table_->groups().size()) + "},{members," +
           std::to_string(driver_.local_members()) + "},{peers," + std::to_string(driver_.peers()) +
           "},{monitors," + std::to_string(watchers_.size()) + "}}";
  }

 private:
  struct Watcher {
    Pid pid;
    std::optional<std::string> group;  // none: of all groups
  };
  using Watchers = std::map<Ref, Watcher>;

  void tell(const GroupChange& change) const {
    const auto tell_all = [&](const std::set<Ref>& refs) {
      for (const Ref ref : refs) {
        const Pid pid = watchers_.at(ref).pid;
        if (change.joined) {
          send(pid, Joined{ref, change.group, change.pids});
        } else {
          send(pid, Left{ref, change.group, change.pids});
        }
      }
    };
    tell_all(of_scope_);
    const auto found = by_group_.find(change.group);
    if (found != by_group_.end()) tell_all(found->second);
  }

  void end_watch(Watchers::iterator watch) {
    of_scope_.erase(watch->first);
    if (watch->second.group) {
      const auto found = by_group_.find(*watch->second.group);
      found->second.erase(watch->first);
      if (found->second.empty()) by_group_.erase(found);
    }
    watchers_.erase(watch);
  }

  const std::string name_;
  const std::shared_ptr<GroupTable> table_;
  GroupDriver driver_;
  Watchers watchers_;
  std::set<Ref> of_scope_;
  std::map<std::string, std::set<Ref>, std::less<>> by_group_;
};

std::invalid_argument unknown(const std::string& scope) {
  return std::invalid_argument("unknown scope of process groups: " + scope +
                               "; start it with pg::start_link");
}

std::shared_ptr<GroupTable> need(const std::string& scope) {
  NameService* names = current_process().runtime().names();
  auto table =
      names == nullptr ? nullptr : std::dynamic_pointer_cast<GroupTable>(names->find_via(scope));
  if (table == nullptr) throw unknown(scope);
  return table;
}

/// The scope is there, or it throws; that it ends meanwhile is as if it had not been there.
template <class R>
ReplyOf<R> ask_scope(const std::string& scope, R request) {
  static_cast<void>(need(scope));
  auto answer = call(local(scope), std::move(request), infinity);
  if (answer) return std::move(*answer);
  if (answer.error().code() == CallError::Code::noproc) throw unknown(scope);
  return std::move(answer).value();  // throws: the calling process ends with the call's reason
}

void need_local(const std::vector<Pid>& pids) {
  for (const Pid& pid : pids) {
    if (pid.node == self().node && pid) continue;
    throw std::invalid_argument("process " + to_string(pid, self().node) +
                                " is not of this node: it joins and leaves groups on its own");
  }
}

}  // namespace

std::expected<Pid, StartError> start_link(const std::string& scope) {
  return GenServer::start_link<Scope>({.name = local(scope)}, scope);
}

std::expected<Pid, StartError> start(const std::string& scope) {
  return GenServer::start<Scope>({.name = local(scope)}, scope);
}

void join(const std::string& scope, const std::string& group, const Pid& pid) {
  join(scope, group, std::vector{pid});
}

void join(const std::string& scope, const std::string& group, std::vector<Pid> pids) {
  need_local(pids);
  ask_scope(scope, Join{group, std::move(pids)});
}

bool leave(const std::string& scope, const std::string& group, const Pid& pid) {
  return leave(scope, group, std::vector{pid});
}

bool leave(const std::string& scope, const std::string& group, std::vector<Pid> pids) {
  need_local(pids);
  return ask_scope(scope, Leave{group, std::move(pids)});
}

std::vector<Pid> get_members(const std::string& scope, const std::string& group) {
  return need(scope)->members(group);
}

std::vector<Pid> get_local_members(const std::string& scope, const std::string& group) {
  return need(scope)->local_members(group);
}

std::vector<std::string> which_groups(const std::string& scope) { return need(scope)->groups(); }

std::vector<std::string> which_local_groups(const std::string& scope) {
  return need(scope)->local_groups();
}

std::pair<Ref, std::vector<Pid>> monitor(const std::string& scope, const std::string& group) {
  return ask_scope(scope, Watch{group});
}

std::pair<Ref, std::map<std::string, std::vector<Pid>>> monitor_scope(const std::string& scope) {
  return ask_scope(scope, WatchAll{});
}

bool demonitor(const std::string& scope, Ref monitor) {
  const bool ended = ask_scope(scope, Unwatch{monitor});
  const auto of_it = [&](const auto& told) { return told.monitor == monitor; };
  while (receive(
      when([&](const Joined& told) { return of_it(told); }, [](const Joined&) { return true; }),
      when([&](const Left& told) { return of_it(told); }, [](const Left&) { return true; }),
      after(Duration::zero(), [] { return false; }))) {
  }
  return ended;
}

}  // namespace coterie::pg
