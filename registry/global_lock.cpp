// Locks of Global. A lock is a process under a strict name, so there is one of it in the cluster,
// its epoch grows, and it is gone with its node; it lives while somebody holds it.

#include <algorithm>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/global.hpp>

#include "process/runtime.hpp"
#include "registry/global_server.hpp"
#include "registry/local_names.hpp"

namespace coterie {
namespace {

using namespace detail;
using std::chrono::milliseconds;

constexpr Duration step_timeout = std::chrono::seconds(10);
// Before the next try: OTP's pauses grow to 8 s, ours to one.
constexpr Duration pause_min = milliseconds(4);
constexpr Duration pause_max = std::chrono::seconds(1);

class Lock final : public GenServer {
 public:
  struct Acquire {
    using Reply = std::optional<Epoch>;
    static constexpr std::string_view type_name = "coterie.global.acquire";
    std::string requester;
    Pid holder;
  };
  /// Whether it was held, and whether the lock ends with that.
  struct Released {
    static constexpr std::string_view type_name = "coterie.global.released";
    bool held = false;
    bool ends = false;
  };
  struct Release {
    using Reply = Released;
    static constexpr std::string_view type_name = "coterie.global.release";
    std::string requester;
    Pid holder;
  };
  using Calls = Messages<Acquire, Release>;
  using Infos = Messages<Down>;

  Lock(std::string requester, const Pid& holder) : requester_(std::move(requester)) {
    hold(holder);
  }

  std::optional<Epoch> handle_call(const Acquire& acquire) {
    if (holders_.empty() || acquire.requester != requester_) return std::nullopt;
    hold(acquire.holder);
    return current_process().epoch();
  }
  Outcome<Released> handle_call(const Release& release) {
    const auto found = std::ranges::find(holders_, release.holder, &Holder::pid);
    if (found == holders_.end() || release.requester != requester_) return reply(Released{});
    demonitor(found->monitor);
    holders_.erase(found);
    if (!holders_.empty()) return reply(Released{true, false});
    return stop(ExitReason::normal(), Released{true, true});
  }
  Next handle_info(const Down& down) {
    std::erase_if(holders_, [&](const Holder& one) { return one.monitor == down.ref; });
    return holders_.empty() ? stop(ExitReason::normal()) : noreply();
  }
  std::string format_status() const {
    return "{lock,{requester," + requester_ + "},{held," + std::to_string(holders_.size()) + "}}";
  }

 private:
  struct Holder {
    Pid pid;
    Ref monitor = Ref::none;
  };
  void hold(const Pid& holder) { holders_.push_back({holder, monitor(holder)}); }

  const std::string requester_;
  std::vector<Holder> holders_;  // one for each time
};

std::string requester_of(const Global::LockId& id) {
  return id.requester.empty() ? to_string(self()) : id.requester;
}

bool locks_here() {
  auto* names = dynamic_cast<LocalNames*>(current_process().runtime().names());
  return names != nullptr && names->add_cluster(locks_registry);
}

std::optional<Epoch> try_lock(const Global::LockId& id) {
  const ViaName name = via(locks_registry, id.resource);
  const std::string requester = requester_of(id);
  // Who holds it already needs no start, which costs two writes.
  if (auto held = call(name, Lock::Acquire{requester, self()}, step_timeout)) return *held;
  const auto started = GenServer::start<Lock>(
      {.name = name, .timeout = step_timeout, .label = id.resource}, requester, self());
  if (!started) return std::nullopt;
  cast(local(GlobalServer::local_name), GlobalServer::Locked{*started});
  const auto about = info(*started);
  return about ? std::optional(about->epoch) : std::nullopt;
}

}  // namespace

std::optional<Epoch> Global::set_lock(const LockId& id, int retries) {
  if (!locks_here()) return std::nullopt;
  Random& random = current_process().runtime().random();
  Duration pause = pause_min;
  for (int tried = 0;; ++tried) {
    if (auto token = try_lock(id)) return token;
    if (retries != forever && tried >= retries) return std::nullopt;
    // Each at a time of its own, or they would all come again together.
    const auto half = static_cast<std::uint64_t>(pause.count()) / 2;
    sleep(Duration(static_cast<Duration::rep>(half + random.below(half + 1))));
    pause = std::min(pause * 2, pause_max);
  }
}

bool Global::del_lock(const LockId& id) {
  if (!locks_here()) return false;
  const auto lock = whereis(ServerRef(via(locks_registry, id.resource)));
  if (!lock) return false;
  const Ref end = monitor(*lock);
  const auto released = call(*lock, Lock::Release{requester_of(id), self()}, step_timeout);
  // The name goes before its process's end can be seen: whoever tries next finds it free.
  if (released && released->ends) static_cast<void>(receive_down(end, step_timeout));
  demonitor(end);
  return released && released->held;
}

Global::Held::Held(LockId lock, int retries)
    : id{std::move(lock.resource), requester_of(lock)}, token(set_lock(id, retries)) {}

Global::Held::~Held() {
  if (token) del_lock(id);
}

}  // namespace coterie
