#include "tests/registry/voter_sim.hpp"

#include <algorithm>
#include <utility>

namespace coterie::testing {

VoterSim::VoterSim(std::uint64_t seed, std::size_t nodes, std::size_t voters, VoterFaults faults,
                   VoterProtections protections, LeaseProtections lease_protections)
    : DrawnWorld(seed),
      faults_(faults),
      protections_(protections),
      lease_protections_(lease_protections),
      voters_(voters) {
  for (std::size_t i = 0; i < nodes; ++i) names_.emplace_back(1, static_cast<char>('a' + i));
}

// To every live process of that name, as an address has it; a node reaches itself at once.
void VoterSim::send(const Node& from, const std::string& to,
                    std::function<void(const NodePtr&)> what) {
  const auto arrive = [this, to, what, sender = from.name](Duration when) {
    at(when, [this, to, what, sender] {
      const auto cut = cuts_.find({sender, to});
      if (cut != cuts_.end() && now_ < cut->second) return;
      for (const NodePtr& node : std::vector(nodes_)) {
        if (node->alive && node->name == to) deliver(node, [what, node] { what(node); });
      }
    });
  };
  if (from.name == to) return arrive(now_);
  if (chance() < faults_.lost) return;
  const auto delay = [&] {
    return between(50us, chance() < faults_.slow ? Duration(3s) : faults_.delay_max);
  };
  arrive(now_ + delay());
  if (chance() < faults_.doubled) arrive(now_ + delay());
}

VoterSim::NodePtr VoterSim::start(const std::string& name, std::uint64_t counter,
                                  bool predecessor_dead, std::string digest_of_config) {
  NodePtr node = make(name, counter, predecessor_dead, std::move(digest_of_config));
  carry_out(node, node->member->start(local(*node)));
  return node;
}

VoterSim::NodePtr VoterSim::start_witness(const std::string& name) {
  return make(name, 1, false, {});
}

VoterSim::NodePtr VoterSim::make(const std::string& name, std::uint64_t counter,
                                 bool predecessor_dead, std::string digest_of_config) {
  auto node = std::make_shared<Node>();
  draw(*node, name, counter, faults_.drift);
  node->place = static_cast<std::size_t>(std::ranges::find(names_, name) - names_.begin());
  const std::vector<std::string> voters(names_.begin(),
                                        names_.begin() + static_cast<std::ptrdiff_t>(voters_));
  VoterMemberOptions options;
  options.self.name = name;
  options.self.incarnation = node->incarnation;
  options.self.address = name + ":1";
  options.config_digest = std::move(digest_of_config);
  options.voters = voters;
  options.predecessor_dead = predecessor_dead;
  options.protections = lease_protections_;
  node->member = std::make_unique<VoterMember>(std::move(options));
  // A second process of a voter's name finds its file locked.
  if (node->place < voters_ && !live(name)) {
    VoterState& disk = disks_[name];
    if (disk.slot_id == 0) disk.slot_id = random_() | 1;
    VoterOptions voter;
    voter.self = static_cast<VoterIndex>(node->place);
    voter.voters = voters;
    voter.configured = names_;
    voter.run = random_() | 1;
    voter.protections = protections_;
    node->voter = std::make_unique<Voter>(std::move(voter), disk, local(*node));
  }
  add(node);
  if (node->voter) carry_out(node, node->voter->start(local(*node)));
  return node;
}

void VoterSim::carry_out(const NodePtr& node, VoterMember::Actions actions) {
  for (auto& action : actions) {
    note(action.index() + static_cast<std::uint64_t>(node->incarnation.id));
    if (auto* renewal = std::get_if<VoterMember::SendRenewal>(&action)) {
      send(*node, names_[renewal->to], [this, what = renewal->renewal](const NodePtr& to) {
        if (to->voter) carry_out(to, to->voter->renew(local(*to), what));
      });
    } else if (auto* install = std::get_if<VoterMember::InstallView>(&action)) {
      if (node->view && node->view->number >= install->view->number) {
        violation("I8 the view of " + node->name + " went back");
      }
      node->view = install->view;
    } else if (auto* lease = std::get_if<VoterMember::SetLeaseEnd>(&action)) {
      node->lease_end = lease->end;
      lease_changed(*node);
    } else if (auto* state = std::get_if<VoterMember::ChangeState>(&action)) {
      change_state(*node, state->state);
    } else if (auto* timer = std::get_if<VoterMember::SetTimer>(&action)) {
      const Duration when = node->member_timer = real(*node, timer->at);
      at(when, [this, node, when] {
        deliver(node, [this, node, when] {
          if (node->member_timer == when) carry_out(node, node->member->tick(local(*node)));
        });
      });
    } else if (auto* notice = std::get_if<VoterMember::Notice>(&action)) {
      node->notices.push_back(notice->text);
    } else if (auto* depart = std::get_if<VoterMember::Depart>(&action)) {
      node->departure = depart->departure;
      node->alive = false;
      restart_later(*node);
    }
  }
}

void VoterSim::carry_out(const NodePtr& node, Voter::Actions actions) {
  for (auto& action : actions) {
    note(action.index() + 16 + static_cast<std::uint64_t>(node->incarnation.id));
    if (auto* save = std::get_if<Voter::Save>(&action)) {
      disks_[node->name] = save->state;
      ++saves;
    } else if (auto* message = std::get_if<Voter::SendVoter>(&action)) {
      send(*node, names_[message->to],
           [this, what = message->message,
            from = static_cast<VoterIndex>(node->place)](const NodePtr& to) {
             if (to->voter) carry_out(to, to->voter->receive(local(*to), from, what));
           });
    } else if (auto* answer = std::get_if<Voter::SendAnswer>(&action)) {
      const auto voter = static_cast<VoterIndex>(node->place);
      for (const std::string& name : names_) {
        send(*node, name, [this, voter, what = *answer](const NodePtr& to) {
          if (to->incarnation.id != what.to) return;
          carry_out(to, to->member->answered(local(*to), voter, what.answer));
        });
      }
    } else if (auto* tell = std::get_if<Voter::Tell>(&action)) {
      told(tell->view);
      for (const std::string& name : names_) {
        send(*node, name, [this, view = tell->view](const NodePtr& to) {
          carry_out(to, to->member->told(local(*to), view));
        });
      }
    } else if (auto* timer = std::get_if<Voter::SetTimer>(&action)) {
      const Duration when = node->voter_timer = real(*node, timer->at);
      at(when, [this, node, when] {
        deliver(node, [this, node, when] {
          if (node->voter_timer == when) carry_out(node, node->voter->tick(local(*node)));
        });
      });
    } else if (auto* notice = std::get_if<Voter::Notice>(&action)) {
      node->notices.push_back(notice->text);
    }
  }
}

// ---- what must hold

void VoterSim::told(const ViewPtr& view) {
  const auto [same, first] = views_.try_emplace(view->number, view);
  if (!first && *same->second != *view) {
    violation("I8 two views with the number " + std::to_string(view->number));
  }
  if (view->number <= last_view_.number) return;
  note(view->number);
  for (const auto& [name, member] : last_view_.members) {
    if (view->find(member.incarnation.id)) continue;
    removed_.insert(member.incarnation.id);
    ++removals;
    for (const NodePtr& node : nodes_) {
      if (node->incarnation.id != member.incarnation.id || !gate_open(*node)) continue;
      violation("I1 " + name + " was removed while it holds a lease for another " +
                std::to_string((node->lease_end - local(*node)).count() / 1000) + " us");
    }
  }
  for (const auto& [name, member] : view->members) {
    if (removed_.contains(member.incarnation.id)) {
      violation("I8 a removed incarnation of " + name + " was added");
    }
  }
  last_view_ = *view;
}

void VoterSim::lease_changed(const Node& node) {
  if (!gate_open(node)) return;
  if (removed_.contains(node.incarnation.id)) {
    violation("I1 a removed incarnation of " + node.name + " holds a lease");
  }
  for (const NodePtr& other : nodes_) {
    if (other.get() != &node && other->name == node.name && gate_open(*other)) {
      violation("I1 two incarnations of " + node.name + " hold leases");
    }
  }
}

// ---- faults

void VoterSim::crash(const NodePtr& node, bool confirmed) {
  node->alive = false;
  for (std::size_t i = 0; i < voters_; ++i) {
    if (!confirmed && chance() >= faults_.guardian) continue;
    at(now_ + between(1ms, 30ms), [this, name = names_[i], dead = node->incarnation] {
      if (const NodePtr voter = live(name); voter && voter->voter) {
        deliver(voter, [this, voter, dead] {
          carry_out(voter, voter->voter->confirm_death(local(*voter), dead));
        });
      }
    });
  }
  restart_later(*node);
}

void VoterSim::cut(const std::string& from, const std::string& to, Duration until) {
  Duration& end = cuts_[{from, to}];
  end = std::max(end, until);
}

void VoterSim::leave(const NodePtr& node) {
  deliver(node, [this, node] { carry_out(node, node->member->leave(local(*node))); });
}

void VoterSim::drain(const NodePtr& node) {
  deliver(node, [this, node] { carry_out(node, node->member->drain(local(*node))); });
}

// Only runs with faults restart what ended; directed tests do it by hand.
void VoterSim::restart_later(const Node& node) {
  if (faults_end_ == Duration{}) return;
  draw_restart(node, faults_.counter_kept,
               [this, name = node.name](std::uint64_t counter, bool predecessor_dead) {
                 start(name, counter, predecessor_dead);
               });
}

void VoterSim::plan_faults() {
  plan(faults_.crash_every, [this] {
    const bool all = chance() < 0.05;  // power lost everywhere
    for (const NodePtr& node : std::vector(nodes_)) {
      if (all && node->alive) crash(node);
    }
    if (const NodePtr node = any_live(); node && !all) crash(node);
  });
  plan(faults_.pause_every, [this] {
    const NodePtr node = any_live();
    if (!node || now_ < node->paused_until) return;
    pause(node, now_ + between(100ms, 5s));
  });
  plan(faults_.cut_every, [this] {
    const std::string& from = names_[random_() % names_.size()];
    const std::string& to = names_[random_() % names_.size()];
    if (from != to) cut(from, to, std::min(now_ + between(300ms, 5s), faults_end_));
  });
  plan(faults_.split_every, [this] {
    const Duration until = std::min(now_ + between(300ms, 5s), faults_end_);
    std::set<std::string> side;
    for (const std::string& name : names_) {
      if (chance() < 0.5) side.insert(name);
    }
    for (const std::string& a : names_) {
      for (const std::string& b : names_) {
        if (side.contains(a) != side.contains(b)) cut(a, b, until);
      }
    }
  });
  plan(faults_.leave_every, [this] {
    const NodePtr node = any_live();
    if (!node) return;
    drain(node);
    at(now_ + between(1ms, 1s), [this, node] { leave(node); });
  });
  plan(faults_.twin_every, [this] {
    if (const NodePtr node = any_live()) start(node->name, ++highest_counter_[node->name]);
  });
}

void VoterSim::run_until(Duration end) {
  while (step_until(end)) {
  }
  now_ = end;
}

void VoterSim::run(Duration busy) {
  faults_end_ = busy;
  for (const std::string& name : names_) {
    at(between(0ms, 300ms), [this, name] { start(name, 1); });
  }
  plan_faults();
  run_until(busy);
  faults_ = {.drift = faults_.drift};
  // What was late may take its time to arrive, a paused node to wake, one to restart.
  run_until(busy + 6500ms);
  const Duration limit = now_ + 3500ms;
  while (!all_agree() && now_ < limit) run_for(10ms);
  expect_agreement();
}

}  // namespace coterie::testing
