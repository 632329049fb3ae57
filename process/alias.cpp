#include <coterie/alias.hpp>

#include <utility>

#include "process/runtime.hpp"

namespace coterie {

using detail::current_process;

Alias alias(AliasUse use) {
  detail::Process& self = current_process();
  const Ref ref = self.runtime().make_ref();
  self.relations().aliases.insert({ref, use == AliasUse::once, false, false});
  return {self.pid(), ref};
}

bool unalias(const Alias& alias) {
  detail::Process& self = current_process();
  if (alias.pid != self.pid()) return false;
  detail::Relations& mine = self.relations();
  if (!mine.monitors.contains(alias.ref)) return mine.aliases.erase(alias.ref);
  // The monitor stays, and its reference is an alias of its own accord: this one says that it is
  // not any more.
  if (detail::OpenAlias* found = mine.aliases.find(alias.ref)) {
    return !std::exchange(found->closed, true);
  }
  mine.aliases.insert({alias.ref, false, true, true});
  return true;
}

Ref monitor(const ServerRef& target, AliasMode mode) {
  const Ref ref = monitor(target);
  if (mode == AliasMode::demonitor) return ref;
  const bool once = mode == AliasMode::reply_demonitor;
  current_process().relations().aliases.insert({ref, once, once, false});
  return ref;
}

void detail::send_to_alias(const Alias& to, MessagePtr message) {
  message->set_ref(to.ref);
  send_message(to.pid, std::move(message));
}

bool detail::Process::accept_alias(Ref ref) {
  if (!relations_) return false;
  const OpenAlias* found = relations_->aliases.find(ref);
  if (found == nullptr) return relations_->monitors.contains(ref);
  const OpenAlias open = *found;
  if (open.closed) return false;
  if (open.once) relations_->aliases.erase(ref);
  const auto monitored = open.ends_monitor ? take_monitor(ref) : std::nullopt;
  if (monitored) runtime_.end_monitor(pid(), *monitored, ref);
  return true;
}

std::optional<Pid> detail::Process::take_monitor(Ref ref) {
  if (!relations_) return std::nullopt;
  const Monitor* found = relations_->monitors.find(ref);
  if (found == nullptr) return std::nullopt;
  const Pid target = found->target;
  relations_->monitors.erase(ref);
  close_alias_of_monitor(ref);
  return target;
}

/// With its Down a monitor is no alias any more, unless it was opened to outlive it.
void detail::Process::close_alias_of_monitor(Ref ref) noexcept {
  const OpenAlias* found = relations_->aliases.find(ref);
  if (found == nullptr) return;
  if (found->ends_monitor || found->closed) relations_->aliases.erase(ref);
}

}  // namespace coterie
