#include "supervision/child_shutdown.hpp"

#include <set>
#include <vector>

#include "process/flat_table.hpp"
#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

namespace {

struct Waited {
  Ref ref = Ref::none;
  std::optional<ExitReason> exit;  // of its link, if it has arrived
  bool down = false;
};

/// Where a child stands among those that shall end.
struct Place {
  Pid child;
  std::size_t index;
  const Pid& key() const noexcept { return child; }
};

void settle(Ending& ending, Waited& waited, ExitReason down) {
  waited.down = true;
  ExitReason reason = std::move(down);
  if (reason.kind() == ExitReason::Kind::noproc) {
    // It was gone before the monitor: only its EXIT knows why, and came first, unless it unlinked.
    reason = waited.exit ? *waited.exit : ExitReason::term("child_process_unlinked");
  }
  if (!expected_end(ending.how, ending.restart, reason)) ending.wrong = std::move(reason);
}

}  // namespace

bool expected_end(Shutdown how, Restart restart, const ExitReason& reason) noexcept {
  const bool permanent = restart == Restart::permanent;
  if (how.is_brutal_kill() && reason.kind() == ExitReason::Kind::killed) return true;
  if (reason.kind() == ExitReason::Kind::shutdown) {
    if (!permanent) return true;
    return !how.is_brutal_kill() && reason.term().empty();
  }
  return reason.kind() == ExitReason::Kind::normal && !permanent;
}

std::optional<ExitReason> shut_down(const Pid& child, Shutdown how, Restart restart) {
  Ending ending{child, how, restart, {}};
  shut_down_all({&ending, 1});
  return std::move(ending.wrong);
}

void shut_down_all(std::span<Ending> children) {
  const Clock& clock = current_process().runtime().clock();
  FlatTable<Place> places;
  std::vector<Waited> waited(children.size());
  std::set<Duration> waits;  // a few, whatever the number of children
  const Time begin = clock.now();
  for (std::size_t i = 0; i < children.size(); ++i) {
    const Ending& ending = children[i];
    places.insert({ending.child, i});
    waited[i].ref = monitor(ending.child);
    if (ending.how.is_brutal_kill()) {
      exit(ending.child, ExitReason::kill());
    } else {
      exit(ending.child, ExitReason::shutdown());
      if (ending.how.wait() != infinity) waits.insert(ending.how.wait());
    }
  }

  // DOWN and EXIT are both taken as they come, so that the mailbox is walked from its front only.
  const auto of_link = [&](const Exit& e) { return places.contains(e.from); };
  const auto note_exit = [&](Exit e) {
    waited[places.find(e.from)->index].exit = std::move(e.reason);
  };
  const auto of_monitor = [&](const Down& d) {
    const Place* found = places.find(d.pid);
    return found != nullptr && waited[found->index].ref == d.ref;
  };
  std::size_t left = children.size();
  while (left > 0) {
    const Time now = clock.now();
    while (!waits.empty() && after(begin, *waits.begin()) <= now) {
      for (std::size_t i = 0; i < children.size(); ++i) {
        const Shutdown how = children[i].how;
        if (waited[i].down || how.is_brutal_kill() || how.wait() != *waits.begin()) continue;
        exit(children[i].child, ExitReason::kill());
      }
      waits.erase(waits.begin());
    }
    const Duration wait = waits.empty() ? infinity : after(begin, *waits.begin()) - now;
    receive(when(of_link, note_exit),
            when(of_monitor,
                 [&](Down d) {
                   const std::size_t place = places.find(d.pid)->index;
                   settle(children[place], waited[place], std::move(d.reason));
                   --left;
                 }),
            after(wait, [] {}));
  }
  for (const Ending& ending : children) unlink(ending.child);
  // What the links still sent before they were cut.
  while (receive(when(of_link, [](Exit) { return true; }),
                 after(Duration::zero(), [] { return false; }))) {
  }
}

}  // namespace coterie::detail
