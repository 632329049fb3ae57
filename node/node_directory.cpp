// Who keeps the node's names of cluster scope, and what the members' directory asks of its node.

#include <utility>

#include "node/node_parts.hpp"
#include "registry/store_names_driver.hpp"

namespace coterie {

std::unique_ptr<NamesDriver> NodeParts::make_store_names() {
  StoreNamesDriver::Options names;
  names.names.node = own_.name;
  names.names.incarnation = incarnation_;
  names.names.protections = out_.protections.names;
  if (rare(out_.rare, "names.batches_of_one")) names.names.batch_max = 1;
  if (rare(out_.rare, "names.tiny_cache")) names.cache_max = 2;
  names.cache_bounded = out_.protections.cache_bounded;
  if (rare(out_.rare, "names.retries_late")) names.names.retry_after = 10 * names.names.retry_after;
  if (rare(out_.rare, "names.retries_soon")) names.names.retry_after /= 50;
  if (rare(out_.rare, "names.sweeps_often")) names.names.sweep_every /= 3000;
  return std::make_unique<StoreNamesDriver>(
      names, *storage_.names, out_.clock, out_.executor, [this] { hint_agreement(); },
      [this](std::string_view text) { out_.log.info(LogModule::registry, text); });
}

std::unique_ptr<NamesDriver> NodeParts::make_directory() {
  DirectoryDriver::Options options;
  options.directory.node = own_.name;
  options.directory.incarnation = incarnation_;
  options.directory.lease_end = [this] { return agreement_->lease_end(); };
  options.directory.protections = out_.protections.directory;
  if (rare(out_.rare, "names.tiny_cache")) options.cache_max = 2;
  options.cache_bounded = out_.protections.cache_bounded;
  if (rare(out_.rare, "directory.small_claims")) options.directory.claims_bytes = 50;
  if (rare(out_.rare, "directory.resends_soon")) options.directory.resend_after /= 50;
  if (rare(out_.rare, "directory.few_wait")) options.directory.waiting_max = 2;
  if (rare(out_.rare, "directory.strand_only")) options.events_of_others = 0;
  DirectoryDriver::Surroundings surroundings{
      .send = [this](NodeId node, Bytes& bytes) { return send_to_directory(node, bytes); },
      .newer_view = [this] { hint_agreement(); },
      .silent = [this](NodeId node, bool silent) { directory_is_silent(node, silent); },
      .notice = [this](std::string_view text) { out_.log.error(LogModule::registry, text); }};
  auto driver = std::make_unique<DirectoryDriver>(std::move(options), out_.clock, out_.executor,
                                                  std::move(surroundings));
  directory_ = driver.get();
  return driver;
}

SendResult NodeParts::send_to_directory(NodeId node, Bytes& bytes) {
  if (!links_ready_.load()) return SendResult::no_node;
  Envelope envelope;
  envelope.from = {incarnation_.id, 0};
  envelope.to = LocalName{std::string(directory::envelope_type)};
  envelope.type = directory::envelope_type;
  envelope.payload = std::move(bytes);
  const SendResult result = links_->send(node, std::move(envelope));
  if (result == SendResult::busy) bytes = std::move(envelope.payload);
  return result;
}

// Partitions stay closed for it, here at least: it counts as one that is not heard, and a member
// that few hear is evicted.
void NodeParts::directory_is_silent(NodeId node, bool silent) {
  {
    std::lock_guard guard(mutex_);
    const Member* const member = view_ ? view_->find(node) : nullptr;
    if (member == nullptr) return;
    if (silent) {
      out_.log.warning(LogModule::registry,
                       "a member does not say which names it holds, and others wait for that",
                       {{"peer", member->name}});
      silent_.insert(member->name);
    } else {
      silent_.erase(member->name);
    }
  }
  tell_heard_peers();
}

}  // namespace coterie
