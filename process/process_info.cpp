// What a process says of itself, and what others can see of it.

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

/// Its local name or, without one, its via name.
std::string Process::own_name() const {
  const Names* mine = names_if_any();
  if (mine == nullptr) return {};
  if (mine->name.empty() && mine->registration.id != 0) return to_string(ServerRef(mine->via));
  return mine->name;
}

Status Process::status(bool asked) const {
  if (exit_) return Status::exiting;
  if (behaviour_ && behaviour_->suspended()) return Status::suspended;
  if (behaviour_ && behaviour_->hibernating()) return Status::hibernating;
  if (!asked) return Status::running;
  const bool goes_on = parked_ != nullptr ? woken_ || timed_out_ || wait_ == Wait::none
                                          : !started_ || (!queue_.empty() && wait_ == Wait::none);
  return goes_on ? Status::runnable : Status::waiting;
}

ProcessInfo Process::info_from_outside() const {
  ProcessInfo info;
  info.pid = pid();
  info.status = Status::running;
  info.message_queue_length = queued();
  info.memory = sizeof(Process) + info.message_queue_length * Message::slot_bytes +
                large_bytes_.load(std::memory_order_relaxed);
  info.mailbox = limits();
  info.refused_messages = refused_.load(std::memory_order_relaxed);
  info.mailbox_alarm = alarmed_.load(std::memory_order_relaxed);
  info.answered = false;
  return info;
}

ProcessInfo Process::info(bool asked) const {
  ProcessInfo info = info_from_outside();
  info.answered = true;
  info.initial_call = behaviour_ ? std::string(behaviour_->initial_call()) : "attached";
  info.status = status(asked);
  info.trap_exit = trap_exit_;
  info.parent = parent();
  info.epoch = epoch();
  info.registered_name = own_name();
  info.messages_taken = taken_;
  if (worker_ != nullptr && (looking_ || worker_->runs_on(parked_))) {
    info.memory += worker_->stack_bytes();
  } else if (parked_ != nullptr) {
    info.memory += parked_->used_bytes();
  }
  if (const Names* mine = names_if_any()) info.label = mine->label;
  if (ancestors_) info.ancestors = *ancestors_;
  for_each_link([&info](const Pid& linked) { info.links.push_back(linked); });
  if (!relations_) return info;
  for (const auto& [ref, target] : relations_->monitors) info.monitors.push_back(target);
  for (const auto& [watcher, ref] : relations_->monitored_by) {
    info.monitored_by.push_back(watcher);
  }
  return info;
}

}  // namespace coterie::detail
