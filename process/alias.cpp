#include <coterie/alias.hpp>

#include <utility>

#include "process/runtime.hpp"

namespace coterie {

using detail::current_process;

Alias alias(AliasUse use) {
  detail::Process& self = current_process();
  const Ref ref = self.runtime().make_ref();
  self.relations().aliases.insert({ref, use == AliasUse::once});
  return {self.pid(), ref};
}

bool unalias(const Alias& alias) {
  detail::Process& self = current_process();
  return alias.pid == self.pid() && self.relations().aliases.erase(alias.ref);
}

void detail::send_to_alias(const Alias& to, MessagePtr message) {
  message->set_ref(to.ref);
  send_message(to.pid, std::move(message));
}

bool detail::Process::accept_alias(Ref ref) {
  if (!relations_) return false;
  const OpenAlias* found = relations_->aliases.find(ref);
  if (found == nullptr) return relations_->monitors.contains(ref);
  if (found->once) relations_->aliases.erase(ref);
  return true;
}

}  // namespace coterie
