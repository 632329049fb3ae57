#include "supervision/child_shutdown.hpp"

#include <map>
#include <unordered_map>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

namespace {

struct Waited {
  Ending* ending = nullptr;
  Ref ref = Ref::none;
  bool down = false;
  std::optional<ExitReason> exit;  // of its link, if it has arrived
};

void settle(Waited& child, ExitReason down) {
  ExitReason reason = std::move(down);
  if (reason.kind() == ExitReason::Kind::noproc) {
    // It was gone before the monitor: only its EXIT knows why, and came first, unless it unlinked.
    reason = child.exit ? *child.exit : ExitReason::term("child_process_unlinked");
  }
  child.down = true;
  Ending& ending = *child.ending;
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
  std::unordered_map<Pid, Waited> waiting;
  std::multimap<Time, Pid> deadlines;
  const Time begin = clock.now();
  for (auto& ending : children) {
    waiting[ending.child] = {&ending, monitor(ending.child), false, {}};
    if (ending.how.is_brutal_kill()) {
      exit(ending.child, ExitReason::kill());
    } else {
      exit(ending.child, ExitReason::shutdown());
      if (ending.how.wait() != infinity) {
        deadlines.emplace(after(begin, ending.how.wait()), ending.child);
      }
    }
  }

  // DOWN and EXIT are both taken as they come, so that the mailbox is walked from its front only.
  const auto of_link = [&](const Exit& e) { return waiting.contains(e.from); };
  const auto note_exit = [&](Exit e) { waiting[e.from].exit = std::move(e.reason); };
  const auto of_monitor = [&](const Down& d) {
    const auto found = waiting.find(d.pid);
    return found != waiting.end() && found->second.ref == d.ref;
  };
  std::size_t left = waiting.size();
  while (left > 0) {
    const Time now = clock.now();
    while (!deadlines.empty() && deadlines.begin()->first <= now) {
      const Pid late = deadlines.begin()->second;
      if (!waiting[late].down) exit(late, ExitReason::kill());
      deadlines.erase(deadlines.begin());
    }
    const Duration wait = deadlines.empty() ? infinity : deadlines.begin()->first - now;
    receive(when(of_link, note_exit),
            when(of_monitor,
                 [&](Down d) {
                   settle(waiting[d.pid], std::move(d.reason));
                   --left;
                 }),
            after(wait, [] {}));
  }
  for (const auto& [pid, child] : waiting) unlink(pid);
  // What the links still sent before they were cut.
  while (receive(when(of_link, [](Exit) { return true; }),
                 after(Duration::zero(), [] { return false; }))) {
  }
}

}  // namespace coterie::detail
