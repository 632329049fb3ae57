#include "registry/available_registry.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "process/runtime.hpp"
#include "registry/group_driver.hpp"

namespace coterie::detail {
namespace {

constexpr char separator = '\x1f';
constexpr std::size_t epoch_digits = 16;

struct Claim {
  using Reply = bool;
  std::string key;
  Pid pid;
};
struct Unclaim {
  std::string key;
  Pid pid;
};

/// Processes of this node; of others only their node knows.
bool has_ended(const Pid& pid) { return pid.node == self().node && !is_alive(pid); }

/// What via(name, key) asks: reads the table, and has the registry's process change it.
class AvailableNames final : public ViaRegistry {
 public:
  AvailableNames(std::shared_ptr<const NameClaims> claims, const Pid& process)
      : claims_(std::move(claims)), process_(process) {}

  std::optional<Pid> whereis_name(std::string_view key) override {
    const auto claims = claims_->of(key, has_ended);
    return claims.empty() ? std::nullopt : std::optional(claims.front().pid);
  }
  bool register_name(std::string_view key, const Pid& pid) override {
    return call(process_, Claim{std::string(key), pid}, infinity).value_or(false);
  }
  void unregister_name(std::string_view key, const Pid& pid) override {
    cast(process_, Unclaim{std::string(key), pid});
  }

 private:
  const std::shared_ptr<const NameClaims> claims_;
  const Pid process_;
};

class AvailableRegistry final : public GenServer {
 public:
  using Calls = Messages<Claim>;
  using Casts = Messages<Unclaim>;
  using Infos = GroupDriver::Infos;

  explicit AvailableRegistry(RegistryOptions options)
      : name_(std::move(options.name)),
        options_(std::move(options)),
        table_(std::make_shared<GroupTable>(self().node)),
        claims_(std::make_shared<NameClaims>(table_, options_.survives)),
        driver_(registry_process(name_), table_,
                [this](const GroupChange& change) { changed(change); }) {}

  Init init() {
    if (options_.scope != Scope::cluster) {
      return stop_init(ExitReason::term("an_available_registry_has_cluster_scope"));
    }
    if (options_.keys == Keys::duplicate) return stop_init(duplicate_in_cluster());
    if (!add_via_registry(name_, std::make_shared<AvailableNames>(claims_, self()))) {
      return stop_init(ExitReason::term("registry_exists_" + name_));
    }
    driver_.start();
    return ok();
  }

  /// As of every registry: its end is that of who is registered in it. Without a claim they would
  /// be seconds to whoever takes the name next.
  ~AvailableRegistry() {
    Process& self = current_process();
    for (const auto& [group, pids] : table_->members_of(self.pid().node)) {
      for (const Pid& pid : pids) {
        self.runtime().signal(self.pid(), pid, Signal::exit, Ref::none, reason_);
      }
    }
  }
  void terminate(const ExitReason& reason) { reason_ = reason; }

  bool handle_call(const Claim& claim) {
    if (!claims_->of(claim.key, has_ended).empty()) return false;
    driver_.join(claim_group(claim.key, latest_ + 1), {claim.pid});
    return true;
  }
  void handle_cast(const Unclaim& unclaim) {
    for (const NameClaim& claim : claims_->of(unclaim.key, [](const Pid&) { return false; })) {
      if (claim.pid == unclaim.pid) give_up(claim);
    }
  }
  template <class M>
  requires(Infos::contains<M>) void handle_info(const M& message) { driver_.handle(message); }

  std::string format_status() const {
    return "{registry," + name_ + ",available,{names," + std::to_string(driver_.local_members()) +
           "},{peers," + std::to_string(driver_.peers()) + "},{ended," + std::to_string(ended_) +
           "}}";
  }

 private:
  void changed(const GroupChange& change) {
    for (const Pid& pid : change.pids) {
      const NameClaim claim = claim_of(change.group, pid);
      latest_ = std::max(latest_, claim.epoch);
      if (change.joined) resolve(claim.key);
    }
  }

  /// Ends each process of this node that another claim of its name comes before. The first of all
  /// claims is ended by nobody, whoever has seen which of them.
  void resolve(const std::string& key) {
    const auto claims = claims_->of(key, has_ended);
    for (std::size_t i = 1; i < claims.size(); ++i) {
      if (claims[i].pid.node != self().node) continue;
      const Pid winner = claims.front().pid, loser = claims[i].pid;
      give_up(claims[i]);
      ++ended_;
      node_log().warning(LogModule::registry, "a name had two processes: one of them ends",
                         {{"registry", name_}, {"key", key}, {"ends", loser}, {"stays", winner}});
      exit(loser, ExitReason::shutdown("{name_conflict," + name_ + "," + key + "," +
                                       to_string(winner, self().node) + "}"));
    }
  }

  void give_up(const NameClaim& claim) {
    driver_.leave(claim_group(claim.key, claim.epoch), {claim.pid});
  }

  const std::string name_;
  const RegistryOptions options_;
  const std::shared_ptr<GroupTable> table_;
  const std::shared_ptr<const NameClaims> claims_;
  GroupDriver driver_;
  std::uint64_t latest_ = 0;  // epoch of all that were seen
  std::uint64_t ended_ = 0;
  ExitReason reason_ = ExitReason::killed();  // unless terminate says otherwise
};

}  // namespace

std::string claim_group(std::string_view key, std::uint64_t epoch) {
  char digits[epoch_digits];
  const auto end = std::to_chars(digits, digits + epoch_digits, epoch, 16).ptr;
  const auto written = static_cast<std::size_t>(end - digits);
  std::string group(key);
  group += separator;
  group.append(epoch_digits - written, '0').append(digits, written);
  return group;
}

NameClaim claim_of(std::string_view group, const Pid& pid) {
  if (group.size() <= epoch_digits) return {};
  const std::size_t at = group.size() - epoch_digits;
  NameClaim claim{std::string(group.substr(0, at - 1)), pid, 0};
  const auto read =
      std::from_chars(group.data() + at, group.data() + group.size(), claim.epoch, 16);
  const bool whole = read.ec == std::errc() && read.ptr == group.data() + group.size();
  return whole && group[at - 1] == separator ? claim : NameClaim{};
}

bool NameClaims::before(const NameClaim& one, const NameClaim& other) const {
  if (order_) {
    if (order_(one, other)) return true;
    if (order_(other, one)) return false;
  }
  return std::tie(one.epoch, one.pid) < std::tie(other.epoch, other.pid);
}

std::vector<NameClaim> NameClaims::of(std::string_view key,
                                      const std::function<bool(const Pid&)>& ended) const {
  std::vector<NameClaim> claims;
  for (const auto& [group, pids] : table_->starting(std::string(key) + separator)) {
    for (const Pid& pid : pids) {
      NameClaim claim = claim_of(group, pid);
      // A longer key may begin with this one.
      if (claim.epoch != 0 && claim.key == key && !ended(pid)) claims.push_back(std::move(claim));
    }
  }
  std::ranges::sort(claims, [this](const auto& a, const auto& b) { return before(a, b); });
  return claims;
}

std::expected<Pid, StartError> start_available(RegistryOptions options, bool link) {
  StartOptions start{.name = local(registry_process(options.name)), .trap_exit = true};
  return link ? GenServer::start_link<AvailableRegistry>(std::move(start), std::move(options))
              : GenServer::start<AvailableRegistry>(std::move(start), std::move(options));
}

}  // namespace coterie::detail
