#include <coterie/name_monitor.hpp>

#include <algorithm>

#include <coterie/call.hpp>

#include "process/runtime.hpp"
#include "registry/global_server.hpp"

namespace coterie {
namespace {

using namespace detail;
using std::chrono::milliseconds;

// Between two looks at a name that is on its way.
constexpr Duration pause_min = milliseconds(5);
constexpr Duration pause_max = milliseconds(500);
constexpr Duration look_max = std::chrono::seconds(5);

NameResult<Location> look(const ViaName& name) {
  NameService* const names = current_process().runtime().names();
  if (names == nullptr) return std::unexpected(NameError{});
  return names->resolve(name.registry, name.key, true, look_max);
}

class Watch {
 public:
  Watch(ViaName name, const Pid& subscriber, const Location& holder, Duration gone_after)
      : name_(std::move(name)),
        subscriber_(subscriber),
        subscribed_(monitor(subscriber)),
        holder_(holder),
        gone_after_(gone_after) {
    cast(local(GlobalServer::local_name), GlobalServer::Watching{name_, self()});
  }

  void run() {
    if (holder_.pid) wait_for_end();
    while (find()) wait_for_end();
    send(subscriber_, NameGone{{self()}, name_, holder_.pid});
  }

 private:
  /// Whom it is for has ended, and so does it.
  auto left() {
    return when([this](const Down& down) { return down.ref == subscribed_; },
                [](const Down&) { exit(ExitReason::normal()); });
  }

  /// Until the holder has ended, cannot be seen, or may have lost the name.
  void wait_for_end() {
    const Ref held = monitor(holder_.pid);
    receive(
        when([&](const Down& down) { return down.ref == held; }, [](const Down&) {}),
        [](const NameDropped&) {}, left());
    demonitor(held);
  }

  /// False: nobody has the name, for long enough.
  bool find() {
    const Clock& clock = current_process().runtime().clock();
    std::optional<Time> free_since;
    for (;; pause_ = std::min(pause_ * 2, pause_max)) {
      const auto found = look(name_);
      const bool nobody = !found && (found.error().code == NameError::Code::not_found ||
                                     found.error().code == NameError::Code::no_registry);
      if (!nobody) {
        free_since.reset();
      } else if (!free_since) {
        free_since = clock.now();
      }
      if (found && (found->pid != holder_.pid || found->epoch != holder_.epoch)) {
        pause_ = pause_min;
        const Pid from = std::exchange(holder_, *found).pid;
        send(subscriber_, NameMoved{{self()}, name_, from, holder_.pid, holder_.epoch});
        return true;
      }
      Duration wait = pause_;
      if (free_since) {
        const Duration left = after(*free_since, gone_after_) - clock.now();
        if (left <= Duration::zero()) return false;
        wait = std::min(wait, left);
      }
      rest(wait);
      if (!found) continue;
      // Still the same one: out of sight for a moment, or its node is about to be removed.
      pause_ = std::min(pause_ * 2, pause_max);
      return true;
    }
  }

  void rest(Duration pause) {
    receive([](const NameDropped&) {}, left(), coterie::after(pause, [] {}));
  }

  const ViaName name_;
  const Pid subscriber_;
  const Ref subscribed_;
  Location holder_;
  const Duration gone_after_;
  Duration pause_ = pause_min;  // grows until the name moves
};

}  // namespace

std::pair<NameMonitor, std::optional<Pid>> monitor_name(const ViaName& name,
                                                        NameMonitorOptions options) {
  const auto found = look(name);
  const Location holder = found ? *found : Location{};
  const Pid watch = spawn(
      [name, subscriber = self(), holder, gone_after = options.gone_after] {
        Watch(name, subscriber, holder, gone_after).run();
      },
      {.label = "name monitor " + to_string(ServerRef(name))});
  return {{watch}, found ? std::optional(found->pid) : std::nullopt};
}

void demonitor_name(const NameMonitor& monitor) {
  const Ref end = coterie::monitor(monitor.pid);
  exit(monitor.pid, ExitReason::kill());
  static_cast<void>(receive_down(end));
  const auto of_it = [&](const auto& told) { return told.monitor == monitor; };
  while (receive(
      when([&](const NameMoved& told) { return of_it(told); },
           [](const NameMoved&) { return true; }),
      when([&](const NameGone& told) { return of_it(told); }, [](const NameGone&) { return true; }),
      after(Duration::zero(), [] { return false; }))) {
  }
}

}  // namespace coterie
