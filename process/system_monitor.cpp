// What a node notices of its processes: callbacks that hold a worker, mailboxes that fill. Logged,
// counted, and told to who asked by system_monitor().

#include <algorithm>
#include <utility>

#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

constexpr Duration monitor_interval = std::chrono::milliseconds(10);

}  // namespace

// ---- callbacks that hold a worker

void Runtime::arm_monitor() {
  if (monitor_armed_.exchange(true)) return;
  monitor_strand_->post_at(after(clock().now(), monitor_interval), [this] { monitor_workers(); });
}

void Runtime::monitor_workers() {
  const Time now = clock().now();
  bool busy = false;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    Seen& seen = seen_[i];
    const std::uint64_t slices = worker.slices();
    if (worker.idle() || slices != seen.slices) {
      // Long slices, and too few of them for the worker to see its own backlog.
      if (!worker.idle() && worker.ready() > slices - seen.slices) wake_helper(worker);
      seen = {slices, now, false};
      busy |= !worker.idle();
      continue;
    }
    busy = true;
    if (worker.ready() > 0) wake_helper(worker);
    if (!seen.reported && now - seen.since >= options_.stuck_after) {
      seen.reported = true;
      counters_.stuck_callbacks.fetch_add(1, std::memory_order_relaxed);
      const Process* process = worker.last_run();
      const Pid stuck = process == nullptr ? Pid{} : process->pid();
      log().warning(
          LogModule::process, "a callback holds its worker: move long work to blocking(...)",
          {{"worker", i}, {"pid", stuck}, {"name", name_of(stuck)}, {"for", now - seen.since}});
      tell_system_monitors([stuck, ran = now - seen.since] {
        return make_message(
            MessageKind::send,
            LongSchedule{stuck,
                         std::chrono::duration_cast<std::chrono::milliseconds>(ran).count()});
      });
    }
  }
  if (busy) {
    monitor_strand_->post_at(after(now, monitor_interval), [this] { monitor_workers(); });
    return;
  }
  monitor_armed_.store(false);
  // A worker that went busy since the look has found the monitor armed: look again for it.
  for (const auto& worker : workers_) {
    if (!worker->idle()) {
      arm_monitor();
      return;
    }
  }
}

// ---- mailboxes

void Runtime::note_crowd(const Process& process, bool on, std::size_t messages) {
  const Pid pid = process.pid();
  if (on) {
    counters_.alarms.fetch_add(1, std::memory_order_relaxed);
    log().warning(LogModule::process, "a mailbox passed an eighth of its bound: senders slow down",
                  {{"pid", pid}, {"messages", messages}});
  }
  tell_system_monitors([pid, on, messages] {
    return make_message(MessageKind::send, LongMessageQueue{pid, on, messages});
  });
}

void Runtime::refused(const Pid& from, const Pid& to) {
  counters_.refused_messages.fetch_add(1, std::memory_order_relaxed);
  Process* target = find(to);
  if (target == nullptr) return;
  target->note_refused();
  if (target->overflow() == Overflow::kill) {
    signal(from, to, Signal::exit, Ref::none, ExitReason::kill());
  }
}

void Runtime::system_monitor(const Pid& subscriber, bool on) {
  std::lock_guard guard(system_monitors_lock_);
  std::erase(system_monitors_, subscriber);
  if (on) system_monitors_.push_back(subscriber);
}

void Runtime::tell_system_monitors(const std::function<MessagePtr()>& make) {
  std::vector<Pid> monitors;
  {
    std::lock_guard guard(system_monitors_lock_);
    std::erase_if(system_monitors_, [this](const Pid& pid) { return find(pid) == nullptr; });
    monitors = system_monitors_;
  }
  for (const Pid& pid : monitors) {
    MessagePtr message = make();
    message->from = pid;
    if (push(pid, message) == PushResult::full) refused(pid, pid);
  }
}

}  // namespace coterie::detail
