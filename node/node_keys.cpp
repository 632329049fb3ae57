// The keys of the cluster file are taken again whenever it has changed.

#include <utility>

#include "node/node_parts.hpp"
#include "node/security.hpp"

namespace coterie {
namespace {

constexpr Duration keys_watch_interval = std::chrono::seconds(1);

}  // namespace

void NodeParts::schedule_keys_watch(Strand& strand) {
  strand.post_at(after(out_.clock.now(), keys_watch_interval), [this, &strand] {
    watch_keys();
    schedule_keys_watch(strand);
  });
}

void NodeParts::watch_keys() {
  const auto changed = out_.changed_config();
  if (!changed) return;
  if (!*changed || !(*changed)->has_keys()) {
    out_.log.error(LogModule::node,
                   "the cluster file has changed and is not taken: the old keys stay",
                   {{"why", *changed ? "it has no keys any more" : to_string(changed->error())}});
    return;
  }
  const ClusterConfig& later = **changed;
  AllowList list = allow_list(later);
  const auto own = list.find(out_.admission->own().public_key);
  if (own == list.end() || own->second != KeyHolder{KeyRole::member, own_.name}) {
    out_.log.warning(LogModule::node,
                     "this node's key is not among its public_keys any more: others refuse it "
                     "until it starts with another key_file");
  }
  out_.admission->replace(std::move(list));
  links_->set_members(member_addresses(config_, later, own_.name));
  out_.log.info(LogModule::node,
                "the cluster file has changed: its keys are taken, the rest counts when the node "
                "starts again");
}

}  // namespace coterie
