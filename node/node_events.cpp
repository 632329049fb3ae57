// What a node hears, from the agreement, the links, guardians and people, and who is told of it.

#include <algorithm>
#include <map>
#include <utility>

#include <coterie/cluster_child.hpp>

#include "node/node_parts.hpp"
#include "registry/placement.hpp"
#include "transport/notice.hpp"

namespace coterie {
namespace {

constexpr Duration lease_watch_interval = std::chrono::milliseconds(50);
constexpr Duration status_timeout = std::chrono::seconds(1);
constexpr std::size_t fullest_max = 10;
constexpr Duration mailbox_timeout = status_timeout / fullest_max;
constexpr std::uint32_t signal_kill = 9;

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

// ---- the agreement

void NodeParts::view_installed(std::shared_ptr<const View> view) {
  std::shared_ptr<const View> before;
  {
    std::lock_guard guard(mutex_);
    before = std::exchange(view_, view);
    silent_.clear();
    if (names_driver_) names_driver_->view_installed(view);
    if (names_driver_ && rare(out_.rare, "names.view_told_twice")) {
      names_driver_->view_installed(view);
    }
  }
  if (links_ready_.load()) {
    links_->set_view(view->number);
    if (before) {
      for (const auto& [name, member] : before->members) {
        const Member* now = view->find(name);
        if (now == nullptr || now->incarnation != member.incarnation) {
          links_->confirm_dead(member.incarnation);
        }
      }
    }
  }
  std::string members;
  for (const auto& [name, member] : view->members) members += (members.empty() ? "" : ",") + name;
  out_.log.info(LogModule::registry, "view installed",
                {{"view", view->number}, {"members", members}});
  const auto changed = [&] {
    return detail::make_message(detail::MessageKind::send, ViewChanged{view->number});
  };
  runtime_->announce(changed);
  if (rare(out_.rare, "node.view_told_twice")) runtime_->announce(changed);
}

void NodeParts::hint_agreement() {
  // The poll finds it too.
  if (rare(out_.rare, "agreement.hint_lost")) return;
  agreement_->hint();
  if (rare(out_.rare, "agreement.hint_doubled")) agreement_->hint();
}

void NodeParts::state_changed(NodeState state, std::string_view why) {
  state_.store(state);
  out_.log.info(LogModule::registry, "state", {{"state", to_string(state)}, {"why", why}});
  // Who watches the lease tells it too, a little later.
  if (state == NodeState::active && !rare(out_.rare, "node.gate_told_late")) {
    runtime_->gate_moved();
    if (rare(out_.rare, "node.gate_told_twice")) runtime_->gate_moved();
  }
  if (state == NodeState::excluded || state == NodeState::down) {
    {
      std::lock_guard guard(mutex_);
      if (names_driver_) names_driver_->stop(std::string(why));
    }
    runtime_->fence();
    over_.store(true);
    out_.executor.notify(this);
  }
  // A supervisor that saw the view before the lease acts now.
  const auto announced = [this] {
    std::lock_guard guard(mutex_);
    return detail::make_message(detail::MessageKind::send, ViewChanged{view_ ? view_->number : 0});
  };
  runtime_->announce(announced);
  if (rare(out_.rare, "node.state_told_twice")) runtime_->announce(announced);
}

// ---- the lease, told to the guardian and to what waits for the gate

void NodeParts::schedule_lease_watch(Strand& strand) {
  strand.post_at(after(out_.clock.now(), lease_watch_interval), [this, &strand] {
    watch_lease();
    schedule_lease_watch(strand);
  });
}

void NodeParts::watch_lease() {
  if (rare(out_.rare, "node.lease_unwatched")) return;
  if (rare(out_.rare, "agreement.polls_often")) agreement_->hint();
  const Time end = agreement_->lease_end();
  out_.page.beat();
  if (end == Time::min()) return;
  if (out_.clock.now() < end) {
    out_.page.lease_renewed(end);
    runtime_->gate_moved();
  } else if (acknowledged_ != end && !runtime_->strict_running()) {
    // The gate is closed and no callback that began before runs any more: this is frozen.
    out_.page.acknowledge_frozen(end);
    acknowledged_ = end;
  }
}

void NodeParts::enter(unsigned worker, std::string_view name) noexcept {
  if (watch_slots_[worker]) out_.page.running().enter(*watch_slots_[worker], name);
  if (out_.watch != nullptr) out_.watch->enter(worker, name);
}

void NodeParts::leave(unsigned worker) noexcept {
  if (watch_slots_[worker]) out_.page.running().leave(*watch_slots_[worker]);
  if (out_.watch != nullptr) out_.watch->leave(worker);
}

// ---- the links

void NodeParts::node_up(const Peer& peer) {
  rights_.node_up(peer);
  runtime_->node_up(peer);
  {
    std::lock_guard guard(mutex_);
    heard_.insert(peer.name);
  }
  tell_heard_peers();
  if (directory_ != nullptr) directory_->connected(peer.incarnation.id);
}

void NodeParts::deliver(NodeId from, Envelope&& envelope) {
  if (envelope.type == directory::envelope_type) {
    // Only a member may know the difference, and only a bug sends what cannot be read.
    if (directory_ != nullptr && !directory_->received(from, envelope.payload)) {
      out_.log.error(LogModule::registry, "a member's message about names cannot be read",
                     {{"bytes", envelope.payload.size()}});
    }
    return;
  }
  if (const auto why = rights_.refusal(from, envelope)) {
    if (rights_.first_refusal(from)) {
      out_.log.warning(LogModule::node, why->detail(), {{"type", envelope.type}});
    }
    if (envelope.signal != Signal::call) return;
    runtime_->fail({envelope.from, envelope.ref, false, Pid{incarnation_.id, 0}}, *why);
    return;
  }
  runtime_->deliver(from, std::move(envelope));
}

void NodeParts::node_down(const Peer& peer, std::string_view why, bool confirmed) {
  runtime_->node_down(peer, why, confirmed);
  rights_.node_down(peer);
  if (!out_.protections.guardians_only) agreement_->confirm_death(peer.name, peer.incarnation);
  {
    std::lock_guard guard(mutex_);
    heard_.erase(peer.name);
  }
  tell_heard_peers();
  if (directory_ != nullptr) directory_->disconnected(peer.incarnation.id);
}

void NodeParts::send_note(std::string_view node, Bytes note) {
  if (links_ready_.load()) links_->send_note(node, std::move(note));
}

void NodeParts::writable(NodeId node) {
  runtime_->writable(node);
  if (directory_ != nullptr) directory_->writable();
}

void NodeParts::tell_heard_peers() {
  std::set<std::string> heard;
  {
    std::lock_guard guard(mutex_);
    heard = heard_;
    for (const std::string& name : silent_) heard.erase(name);
  }
  if (rare(out_.rare, "agreement.peers_told_twice")) agreement_->heard_peers(heard);
  agreement_->heard_peers(std::move(heard));
}

std::vector<std::string> NodeParts::homes(const View& view, std::string_view kind,
                                          std::string_view key) const {
  std::vector<std::string> names;
  for (const Member* member : coterie::homes(view, kind, key)) names.push_back(member->name);
  return names;
}

NoticeTaken NodeParts::take_notice(const DeathNotice& notice) {
  // The guardian tells it again, and others know.
  if (rare(out_.rare, "node.death_unheard")) return {false, "busy"};
  const std::string key = links_->guardian_key(notice.name, notice.incarnation);
  NoticeTaken taken = judge_notice(notice, config_.cluster.id, key);
  if (!taken.accepted) return taken;
  out_.log.info(LogModule::node, "a guardian reports the death of its node",
                {{"peer", notice.name},
                 {"incarnation", notice.incarnation},
                 {"signal", notice.signal},
                 {"code", notice.exit_code}});
  agreement_->confirm_death(notice.name, notice.incarnation);
  if (rare(out_.rare, "node.death_told_twice")) {
    agreement_->confirm_death(notice.name, notice.incarnation);
  }
  links_->confirm_dead(notice.incarnation);
  // A name is suspected of crashes only: SIGKILL comes from an operator, the system or the
  // guardian.
  if (notice.signal == 0 || notice.signal == signal_kill) return taken;
  for (const ClusterKind* kind : hosted_) {
    cluster::NodeDied died;
    died.node = notice.incarnation.id;
    const std::string prefix = kind->kind.name + "/";
    for (const std::string& name : notice.running) {
      if (name.starts_with(prefix)) died.running.push_back(name.substr(prefix.size()));
    }
    if (died.running.empty()) continue;
    if (const auto pid = runtime_->whereis(kind->kind.name)) {
      auto message = detail::make_message(detail::MessageKind::cast, std::move(died));
      runtime_->push(*pid, message);
    }
  }
  return taken;
}

// ---- what the node says of itself

NodeStatus NodeParts::status() {
  NodeStatus status;
  const Time now = out_.clock.now();
  status.cluster = config_.cluster.id;
  status.node = own_.name;
  status.incarnation = incarnation_;
  const NodeState state = state_.load();
  const Time lease_end = agreement_->lease_end();
  // What counts is the gate: between the lease's end and the agreement's next look both differ.
  const bool lapsed = state == NodeState::active && now >= lease_end;
  status.state = to_string(lapsed ? NodeState::frozen : state);
  if (lease_end != Time::min()) status.lease_left_ms = milliseconds(lease_end - now);
  status.guardian = out_.guardian_alive && out_.guardian_alive();
  status.os_pid = out_.os_pid;
  if (voters_ != nullptr) status.vote = std::string(to_string(voters_->vote()));
  status.uptime_ms = milliseconds(now - started_at_);
  const auto view = agreement_->view();
  std::map<std::string, PeerState> peers;
  for (PeerState& peer : links_->peer_states()) {
    std::string name = peer.name;
    peers.emplace(std::move(name), std::move(peer));
  }
  if (view) {
    status.view = view->number;
    for (const auto& [name, member] : view->members) {
      MemberStatus& told = status.members.emplace_back();
      told.name = name;
      told.incarnation = member.incarnation;
      told.address = member.address;
      told.since_view = member.since;
      told.draining = member.draining;
      told.connected = name == own_.name;
      const auto peer = peers.extract(name);
      if (peer.empty()) continue;
      told.connected = peer.mapped().up;
      told.link = peer.mapped().state;
    }
  }
  for (const auto& [name, peer] : peers) {  // of the configuration, in no view
    MemberStatus& told = status.members.emplace_back();
    told.name = name;
    told.address = peer.address;
    told.connected = peer.up;
    told.link = peer.state;
  }
  for (const ClusterKind* kind : hosted_) {
    KindStatus& told = status.kinds.emplace_back();
    told.kind = kind->kind.name;
    const auto asked = call(local(kind->kind.name), cluster::Status{}, status_timeout);
    if (!asked) {
      told.last_error = to_string(asked.error());
      continue;
    }
    told.running = asked->running;
    told.starting = asked->starting;
    told.waiting = asked->waiting;
    told.failed = asked->failed;
    told.quarantined = asked->quarantined;
    told.unreadable = asked->unreadable;
    told.restarts = asked->restarts_total;
    told.claimed = asked->claimed_total;
    told.last_error = asked->last_error;
  }
  const auto& counters = runtime_->counters();
  status.processes = runtime_->process_count();
  status.parked_fibers = runtime_->parked();
  status.crashes = counters.crashed.load();
  status.refused_messages = counters.refused_messages.load();
  status.dead_letters = counters.dead_letters.load();
  status.abandoned_fibers = counters.abandoned_fibers.load();
  status.stuck_callbacks = counters.stuck_callbacks.load();
  if (out_.admission) {
    const Admission::Refusals refusals = out_.admission->refusals();
    status.security = {true, refusals.count, refusals.last};
  }
  tell_mailboxes(status);
  return status;
}

// Looked at from outside: a question to each of a million processes would be a million messages,
// and the one whose mailbox is full may be the one that answers nothing.
void NodeParts::tell_mailboxes(NodeStatus& status) {
  std::vector<std::pair<std::size_t, Pid>> waiting;
  for (const Pid& pid : runtime_->list()) {
    const detail::Process* process = runtime_->find(pid);
    const std::size_t queued = process != nullptr ? process->queued() : 0;
    if (queued == 0) continue;
    status.messages_queued += queued;
    waiting.emplace_back(queued, pid);
  }
  const std::size_t told = std::min(waiting.size(), fullest_max);
  std::ranges::partial_sort(waiting, waiting.begin() + static_cast<std::ptrdiff_t>(told),
                            std::greater{}, &std::pair<std::size_t, Pid>::first);
  for (const auto& [queued, pid] : std::span(waiting).first(told)) {
    std::string name = runtime_->name_of(pid);
    if (name.empty()) {
      name = to_string(pid, incarnation_.id);
      const auto info = runtime_->info_of(pid, mailbox_timeout);
      if (info && !info->initial_call.empty()) name += " " + info->initial_call;
    }
    status.fullest.push_back({std::move(name), queued});
  }
}

std::string NodeParts::admit_voter() {
  if (voters_ == nullptr) return "this cluster has agreement = \"store\": nobody votes";
  switch (voters_->vote()) {
    case Vote::votes:
      return "node " + own_.name + " votes already";
    case Vote::none:
      return "node " + own_.name +
             " is not among the voters of the cluster file, or its voter's file is damaged or of "
             "an older history; its log says which";
    case Vote::waits:
      break;
  }
  // A disk that was lost took the counter with it: this run may have to end for that first.
  if (state_.load() != NodeState::active) {
    return "node " + own_.name + " is " + std::string(to_string(state_.load())) +
           ": it has to be active first, so the other voters have to be there";
  }
  out_.log.warning(LogModule::registry, "an operator admits this voter with a new disk");
  voters_->admit();
  return {};
}

std::vector<std::string> NodeParts::names(const std::string& kind) {
  const auto children = call(local(kind), cluster::WhichChildren{}, status_timeout);
  std::vector<std::string> names;
  if (!children) return names;
  for (const ChildInfo& child : *children) {
    if (child.state == ChildState::running) names.push_back(child.id);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace coterie
