#include "tests/registry/cluster_sim.hpp"

#include <algorithm>
#include <utility>

#include "registry/record_codec.hpp"

namespace coterie::testing {
namespace {

std::uint64_t bits(const Incarnation& incarnation) {
  return static_cast<std::uint64_t>(incarnation.id);
}

}  // namespace

ClusterSim::ClusterSim(std::uint64_t seed, int nodes, Faults faults, Protections protections)
    : DrawnWorld(seed), faults_(faults), protections_(protections) {
  store_.on_commit = [this](const Transaction& transaction, const TransactionResult&) {
    committed(*author_, transaction);
  };
  for (int i = 0; i < nodes; ++i) {
    const std::string name =
        i < 26 ? std::string(1, static_cast<char>('a' + i)) : "n" + std::to_string(i);
    at(between(0ms, faults_.starts), [this, name] { start(name, 1, false); });
  }
}

void ClusterSim::statement(const NodePtr& node, std::function<void()> execute,
                           std::function<void(bool)> answer) {
  const bool slow = chance() < faults_.slow;
  const Duration limit = slow ? Duration(1s) : faults_.delay_max;
  const Duration there = between(50us, limit);
  const Duration back = between(50us, limit);
  const Duration timeout = between(100ms, 500ms);
  const double fate = chance();
  auto respond = [this, node, answer = std::move(answer)](Duration when, bool ok) {
    at(when, [this, node, answer, ok] { deliver(node, [answer, ok] { answer(ok); }); });
  };
  auto unreachable = [this, node] { return now_ < outage_until_ || now_ < node->cut_until; };
  if (unreachable() || fate < faults_.request_lost) {
    respond(now_ + (chance() < 0.5 ? timeout : Duration(1ms)), false);
  } else if (fate < faults_.request_lost + faults_.answer_lost) {
    at(now_ + there, execute);
    respond(now_ + there + timeout, false);
  } else if (fate < faults_.request_lost + faults_.answer_lost + faults_.applied_late) {
    at(now_ + timeout + between(0ms, 3s), execute);
    respond(now_ + timeout, false);
  } else {
    at(now_ + there, [this, respond, unreachable, execute, back, timeout] {
      if (unreachable()) return respond(now_ + timeout, false);
      execute();
      respond(now_ + back, true);
    });
  }
}

void ClusterSim::start(const std::string& name, std::uint64_t counter, bool predecessor_dead) {
  auto node = std::make_shared<Node>();
  draw(*node, name, counter, faults_.drift);
  AgreementOptions options;
  options.self.name = name;
  options.self.incarnation = node->incarnation;
  options.self.address = name + ":1";
  options.self.kinds = {"contracts"};
  options.config_digest = "digest";
  options.configured = {"a", "b", "c", "d", "e", "f", "g"};
  options.predecessor_dead = predecessor_dead;
  options.protections = protections_;
  node->core = std::make_unique<StoreAgreement>(std::move(options));
  add(node);
  node_started(node);
  step(node, StoreAgreement::Start{});
}

void ClusterSim::step(const NodePtr& node, const StoreAgreement::Event& event) {
  if (!node->alive) return;
  for (auto& action : node->core->step(local(*node), event)) carry_out(node, action);
}

void ClusterSim::carry_out(const NodePtr& node, StoreAgreement::Action& action) {
  note(action.index() + bits(node->incarnation));
  const Time started = local(*node);
  if (auto* scan = std::get_if<StoreAgreement::ScanStore>(&action)) {
    auto found = std::make_shared<std::vector<Record>>();
    statement(
        node, [this, found, prefix = scan->prefix] { *found = *store_.scan(prefix); },
        [this, node, found, id = scan->id, started](bool ok) {
          StoreAgreement::Scanned scanned{id, started, std::unexpected(StorageError{})};
          if (ok) scanned.records = std::move(*found);
          step(node, std::move(scanned));
        });
  } else if (auto* commit = std::get_if<StoreAgreement::CommitStore>(&action)) {
    auto result = std::make_shared<TransactionResult>();
    statement(
        node,
        [this, node, result, transaction = std::move(commit->transaction)] {
          author_ = node.get();
          *result = std::move(store_.commit({&transaction, 1})->front());
          ++(result->committed ? commits : refused);
        },
        [this, node, result, id = commit->id, started](bool ok) {
          StoreAgreement::Committed committed{id, started, std::unexpected(StorageError{})};
          if (ok) committed.result = std::move(*result);
          step(node, std::move(committed));
        });
  } else if (auto* install = std::get_if<StoreAgreement::InstallView>(&action)) {
    if (node->view && node->view->number >= install->view->number) violation("I8 view went back");
    node->view = install->view;
    view_installed(node);
  } else if (auto* lease = std::get_if<StoreAgreement::SetLeaseEnd>(&action)) {
    node->lease_end = lease->end;
    if (removed_.contains(bits(node->incarnation)) && gate_open(*node)) {
      violation("I1 a removed incarnation of " + node->name + " holds a lease");
    }
    lease_changed(node);
  } else if (auto* state = std::get_if<StoreAgreement::ChangeState>(&action)) {
    change_state(*node, state->state);
  } else if (auto* timer = std::get_if<StoreAgreement::SetTimer>(&action)) {
    const Duration when = node->timer = real(*node, timer->at);
    at(when, [this, node, when] {
      deliver(node, [this, node, when] {
        if (node->timer == when) step(node, StoreAgreement::Tick{});
      });
    });
  } else if (auto* depart = std::get_if<StoreAgreement::Depart>(&action)) {
    node->departure = depart->departure;
    node->alive = false;
    node_ended(node);
    restart_later(*node);
  }
}

void ClusterSim::restart_later(const Node& node) {
  draw_restart(node, faults_.counter_kept,
               [this, name = node.name](std::uint64_t counter, bool predecessor_dead) {
                 start(name, counter, predecessor_dead);
               });
}

void ClusterSim::crash(const NodePtr& node) {
  node->alive = false;
  node_ended(node);
  for (const auto& other : nodes_) {
    if (!other->alive || chance() >= faults_.guardian) continue;
    confirmed_.insert(bits(node->incarnation));
    at(now_ + between(1ms, 30ms), [this, other, name = node->name, dead = node->incarnation] {
      deliver(other, [=, this] { step(other, StoreAgreement::ConfirmDeath{name, dead}); });
    });
  }
  restart_later(*node);
}

void ClusterSim::plan_faults() {
  plan(faults_.crash_every, [this] {
    const bool all = chance() < 0.05;  // power lost everywhere
    for (const auto& node : std::vector(nodes_)) {
      if (all && node->alive) crash(node);
    }
    if (auto node = any_live()) crash(node);
  });
  plan(faults_.pause_every, [this] {
    auto node = any_live();
    if (!node || now_ < node->paused_until) return;
    pause(node, std::min(now_ + between(100ms, 5s), faults_end_));
  });
  plan(faults_.outage_every, [this] {
    if (now_ < outage_until_) return;
    outage_since_ = now_;
    outage_until_ = std::min(now_ + between(300ms, 5s), faults_end_);
    at(outage_until_, [this] {
      if (now_ - outage_since_ >= 1s) last_long_outage_end_ = now_;
    });
  });
  plan(faults_.cut_every, [this] {
    if (auto node = any_live()) node->cut_until = std::min(now_ + between(300ms, 5s), faults_end_);
  });
  plan(faults_.leave_every, [this] {
    auto node = any_live();
    if (!node) return;
    deliver(node, [=, this] { step(node, StoreAgreement::Drain{}); });
    at(now_ + between(1ms, 1s),
       [=, this] { deliver(node, [=, this] { step(node, StoreAgreement::Leave{}); }); });
  });
  plan(faults_.twin_every, [this] {
    if (auto node = any_live()) start(node->name, ++highest_counter_[node->name], false);
  });
}

void ClusterSim::committed(const Node& author, const Transaction& transaction) {
  for (const auto& [key, value] : transaction.writes) {
    if (key != StoreAgreement::view_key()) continue;
    const View view = decode_view(*value).value();
    note(view.number);
    if (view.number != last_view_.number + 1) {
      violation("I8 view " + std::to_string(view.number) + " follows " +
                std::to_string(last_view_.number));
    }
    if (removed_.contains(bits(author.incarnation))) violation("I8 a removed one made a view");
    for (const auto& [name, member] : last_view_.members) {
      const Member* now = view.find(name);
      if (now && now->incarnation == member.incarnation) continue;
      removed_[bits(member.incarnation)] = now_;
      const bool confirmed = confirmed_.contains(bits(member.incarnation));
      ++(confirmed ? removals_confirmed : removals_by_silence);
      for (const auto& node : nodes_) {
        if (node->incarnation != member.incarnation || !node->alive) continue;
        if (gate_open(*node)) {
          violation("I1 " + name + " was removed while it holds a lease for another " +
                    std::to_string((node->lease_end - local(*node)).count() / 1000) + " us");
        }
        if (node.get() != &author && now_ - last_long_outage_end_ < 1900ms) {
          violation("the store's outage removed " + name);
        }
      }
    }
    for (const auto& [name, member] : view.members) {
      const Member* before = last_view_.find(name);
      if (before && before->incarnation == member.incarnation) continue;
      std::uint64_t& highest = highest_in_view_[name];
      if (removed_.contains(bits(member.incarnation)) || member.incarnation.counter <= highest) {
        violation("V4 a removed or older incarnation of " + name + " was added");
      }
      highest = std::max(highest, member.incarnation.counter);
    }
    last_view_ = view;
    for (const auto& node : nodes_) {  // a view change is hinted over the links, if they work
      if (!node->alive || node.get() == &author || chance() < 0.3) continue;
      at(now_ + between(1ms, 20ms),
         [this, node] { deliver(node, [this, node] { step(node, StoreAgreement::Hint{}); }); });
    }
  }
}

std::optional<Duration> ClusterSim::agreed_within(Duration limit) {
  for (Duration next = 1ms; next < limit; next += 1ms) {
    while (step_until(next)) {
    }
    if (all_agree()) return next;
  }
  return std::nullopt;
}

void ClusterSim::run(Duration busy) {
  faults_end_ = busy;
  plan_faults();
  while (step_until(busy)) {
  }
  now_ = busy;
  faults_ = {.drift = faults_.drift};
  // What was lost or late may take its time to end; a node to restart another 1.5 s.
  const Duration calm = busy + 1500ms;
  while (step_until(calm)) {
  }
  const Duration limit = calm + 2s + 1500ms;
  while (!all_agree() && step_until(limit)) {
  }
  expect_agreement();
}

}  // namespace coterie::testing
