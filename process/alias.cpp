#include <coterie/alias.hpp>

#include <utility>

#include "process/runtime.hpp"

namespace coterie {

using detail::current_process;

Alias alias(AliasUse use) {
  detail::Process& self = current_process();
  const Ref ref = self.runtime().make_ref();
  self.relations().aliases.emplace(ref, use == AliasUse::once);
  return {self.pid(), ref};
}

bool unalias(const Alias& alias) {
  detail::Process& self = current_process();
  return alias.pid == self.pid() && self.relations().aliases.erase(alias.ref) != 0;
}

void detail::send_to_alias(const Alias& to, MessagePtr message) {
  message->set_ref(to.ref);
  send_message(to.pid, std::move(message));
}

bool detail::Process::accept_alias(Ref ref) {
  if (!relations_) return false;
  const auto found = relations_->aliases.find(ref);
  if (found == relations_->aliases.end()) return relations_->monitors.contains(ref);
  if (found->second) relations_->aliases.erase(found);
  return true;
}

}  // namespace coterie
