// The members' directory over many nodes, together with the agreement, under faults of links and
// nodes: at every instant one owner, epochs that grow, lookups that are not out of date, nothing
// left behind. Every rule that is switched off is noticed.

#include <gtest/gtest.h>

#include "registry/directory.hpp"
#include "tests/registry/owners_sim.hpp"

namespace coterie::testing {
namespace {

struct LinkFaults {
  Duration cut_every = {};  // one direction or both carry nothing for a while, what is on the way
                            // is lost
  double slow = 0.0;        // share of messages that take up to a second, and all behind them
};

class DirectorySim final : public OwnersSim<Directory> {
 public:
  DirectorySim(std::uint64_t seed, int nodes, Faults faults, LinkFaults links,
               DirectoryProtections rules = {})
      : OwnersSim(seed, nodes, faults), links_(links), rules_(rules) {
    at(500ms, [this] { churn(); });
    if (links_.cut_every != Duration{}) at(1s, [this] { cut_a_link(); });
  }

  // After run(): everybody gives up its names, and nothing may be left.
  void settle() {
    give_all_up(10s);
    for (const auto& node : nodes_) {
      if (!node->alive) continue;
      const Directory& core = *at_node(node).core;
      const std::size_t kept = core.as_primary().names();
      if (kept != 0 || core.names() != 0) {
        violation("ghost: " + node->name + " keeps " + std::to_string(kept) +
                  " names that nobody holds, and holds " + std::to_string(core.names()));
      }
      if (core.as_primary().claimed_twice() != 0) violation("I1 two members claimed one name");
    }
  }

  std::uint64_t missed = 0, relayed = 0, stale = 0;

 private:
  struct Looked {
    std::string name;
    Duration since{};
  };
  struct Link {
    Duration last{};  // arrival of the last message
    Duration cut_until{};
    std::uint64_t session = 0;  // what was sent in an older one is lost
  };
  /// A name's latest registration that counted.
  struct Latest {
    NodePtr node;
    Epoch epoch;
    Duration counted{};
    Duration visible_from = Duration::max();
    Duration gone = Duration::max();  // its release was asked for, or its node ended
  };

  std::unique_ptr<Directory> make_core(const NodePtr& node) override {
    by_id_[node->incarnation.id] = node;
    Node* const raw = node.get();
    return std::make_unique<Directory>(
        DirectoryOptions{.node = node->name,
                         .incarnation = node->incarnation,
                         .lease_end = [raw] { return raw->lease_end; },
                         .claims_bytes = 100,
                         .protections = rules_});
  }
  void node_ended(const NodePtr& node) override {
    OwnersSim::node_ended(node);
    by_id_.erase(node->incarnation.id);
  }
  void granted(const NodePtr& node, const std::string& name,
               const Registration& registration) override {
    Latest& latest = latest_[name];
    if (registration.epoch <= latest.epoch) {
      violation("I2 epoch of " + name + " went from " + to_string(latest.epoch) + " to " +
                to_string(registration.epoch));
    }
    latest = {.node = node, .epoch = registration.epoch, .counted = now_};
  }
  void given_up(const std::string& name, const Registration& registration) override {
    Latest& latest = latest_[name];
    if (latest.epoch == registration.epoch) latest.gone = now_;
  }

  // ---- load
  void churn() {
    if (!busy()) return;
    at(now_ + between(5ms, 40ms), [this] { churn(); });
    if (nodes_.empty()) return;
    const auto node = nodes_[random_() % nodes_.size()];
    if (!node->alive || now_ < node->paused_until) return;
    Local& state = at_node(node);
    const std::string name = "name " + std::to_string(random_() % 8);
    const std::uint64_t request = state.next_request++;
    state.asked[request] = name;
    const Time now = local(*node);
    const double what = chance();
    if (what < 0.3) {
      looked_[{node.get(), request}] = {name, now_};
      step(node, name_requests::Lookup{request, name, now + between(10ms, 2s)});
    } else if (const auto owned = state.owned.find(name); owned != state.owned.end()) {
      // The process ends; now and then another takes the name on at once.
      if (what < 0.4) return;
      release(node, name, state.owned.extract(owned).mapped());
      if (what < 0.7) step(node, name_requests::Reserve{request, name, request, now + 1s});
    } else {
      step(node, name_requests::Reserve{request, name, request, now + between(10ms, 2s)});
      if (what > 0.9) {
        at(now_ + between(1ms, 100ms), [this, node, name, request] {
          deliver(node, [=, this] { withdraw(node, name, request); });
        });
      }
    }
  }

  // ---- links
  Link& link(const Node& from, const Node& to) {
    return network_[{from.incarnation.id, to.incarnation.id}];
  }
  void cut_a_link() {
    if (now_ >= faults_end_) return;
    at(now_ + between(0s, 2 * links_.cut_every), [this] { cut_a_link(); });
    const auto one = any_live();
    const auto other = any_live();
    if (one == nullptr || one == other) return;
    const Duration until = now_ + between(10ms, chance() < 0.8 ? Duration(1s) : Duration(4s));
    const bool both = chance() < 0.6;
    for (const auto& [from, to] : {std::pair(one, other), std::pair(other, one)}) {
      // A session is both directions: what either has sent is lost with it.
      Link& lost = link(*from, *to);
      ++lost.session;
      if (both || from == one) lost.cut_until = std::max(lost.cut_until, until);
    }
  }
  void send(const NodePtr& from, NodeId id, const directory::Message& message) {
    const auto there = by_id_.find(id);
    if (there == by_id_.end()) return;
    const NodePtr to = there->second;
    if (std::holds_alternative<directory::Relayed>(message)) ++relayed;
    Link& way = link(*from, *to);
    if (now_ < way.cut_until) return;
    const Duration delay = between(50us, chance() < links_.slow ? Duration(1s) : Duration(5ms));
    way.last = std::max(way.last + 1us, now_ + delay);
    at(way.last, [this, &way, session = way.session, sender = from->incarnation.id, to, message] {
      if (session != way.session) return;
      deliver(to, [=, this] { step(to, Directory::Received{sender, message}); });
    });
  }

  void carry_out(const NodePtr& node, Directory::Action& action) override {
    note(action.index());
    if (auto* sent = std::get_if<Directory::Send>(&action)) {
      const auto* told = std::get_if<directory::Told>(&sent->message);
      if (told != nullptr && told->code == directory::Code::stale_view) ++stale;
      send(node, sent->to, sent->message);
    } else if (auto* reserved = std::get_if<name_requests::Reserved>(&action)) {
      answer(node, *reserved);
    } else if (auto* confirmed = std::get_if<name_requests::Confirmed>(&action)) {
      if (!confirmed->result) return;
      const std::string name = at_node(node).asked[confirmed->request];
      Latest& latest = latest_[name];
      if (latest.epoch == confirmed->location.epoch) latest.visible_from = now_;
    } else if (auto* location = std::get_if<name_requests::Found>(&action)) {
      check_found(*node, *location);
    } else if (std::get_if<Directory::ReadView>(&action)) {
      hint(node);
    } else if (auto* timer = std::get_if<Directory::SetTimer>(&action)) {
      arm(node, timer->at);
    } else if (auto* notice = std::get_if<Directory::Notice>(&action)) {
      violation("I4 " + notice->text);
    }
  }

  // I4: what is found was not replaced, and what is not found was not there, all the while since
  // it was asked for.
  void check_found(const Node& node, const name_requests::Found& answer) {
    const Looked looked = looked_.extract({&node, answer.request}).mapped();
    Latest& latest = latest_[looked.name];
    if (answer.result) {
      ++found;
      if (answer.result->epoch == latest.epoch) {
        latest.visible_from = std::min(latest.visible_from, now_);
      }
      if (answer.result->epoch < latest.epoch && latest.counted < looked.since) {
        violation("I4 an owner of " + looked.name + " was found that another had replaced");
      }
    } else if (answer.result.error().code == NameError::Code::not_found) {
      ++missed;
      if (latest.visible_from < looked.since && latest.gone == Duration::max() &&
          gate_open(*latest.node)) {
        violation("I4 " + looked.name + " was not found, and was there");
      }
    }
  }

  LinkFaults links_;
  DirectoryProtections rules_;
  std::map<NodeId, NodePtr> by_id_;  // the live ones
  std::map<std::pair<NodeId, NodeId>, Link> network_;
  std::map<std::string, Latest> latest_;
  std::map<std::pair<const Node*, std::uint64_t>, Looked> looked_;  // by who looks, request
};

struct Drawn {
  Faults faults;
  LinkFaults links;
  int nodes = 3;
};

/// Views that follow one another faster than some nodes look.
Drawn restless() {
  Drawn drawn;
  drawn.nodes = 5;
  drawn.faults.crash_every = 700ms;
  drawn.faults.pause_every = 300ms;
  drawn.faults.guardian = 1.0;
  return drawn;
}

Drawn draw(std::uint64_t seed) {
  std::mt19937_64 random(seed * 137);
  auto chance = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  Drawn drawn;
  drawn.nodes = 3 + static_cast<int>(seed % 3);
  Faults& faults = drawn.faults;
  if (chance() < 0.4) faults.request_lost = chance() * 0.1;
  if (chance() < 0.4) faults.slow = chance() * 0.1;
  if (chance() < 0.7) faults.drift = 1.0;
  if (chance() < 0.7) faults.crash_every = 4s;
  if (chance() < 0.7) faults.pause_every = 4s;
  if (chance() < 0.3) faults.outage_every = 15s;
  if (chance() < 0.6) faults.cut_every = 6s;
  if (chance() < 0.4) faults.leave_every = 8s;
  if (chance() < 0.6) faults.guardian = 0.8;
  if (chance() < 0.7) drawn.links.cut_every = 3s;
  if (chance() < 0.5) drawn.links.slow = chance() * 0.2;
  return drawn;
}

TEST(DirectorySim, keeps_its_promises_under_faults) {
  std::uint64_t oks = 0, taken = 0, timeouts = 0, found = 0, missed = 0, relayed = 0, stale = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Drawn drawn = seed % 8 == 0 ? restless() : draw(seed);
    DirectorySim sim(seed, drawn.nodes, drawn.faults, drawn.links);
    sim.run(30s);
    sim.settle();
    ASSERT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations().front();
    oks += sim.oks;
    taken += sim.taken;
    timeouts += sim.timeouts;
    found += sim.found;
    missed += sim.missed;
    relayed += sim.relayed;
    stale += sim.stale;
  }
  std::printf("%lu ok, %lu taken, %lu timeouts, %lu found, %lu not found, %lu relayed, %lu stale\n",
              oks, taken, timeouts, found, missed, relayed, stale);
  EXPECT_GT(oks, 20'000u);
  EXPECT_GT(taken, 6'000u);
  EXPECT_GT(timeouts, 2'000u);
  EXPECT_GT(found, 2'000u);
  EXPECT_GT(missed, 2'000u);
  EXPECT_GT(relayed, 500u);
  EXPECT_GT(stale, 500u);
}

struct Mutant {
  bool DirectoryProtections::*rule;
  const char* name;
  const char* symptom;
};

class DirectoryMutants : public ::testing::TestWithParam<Mutant> {};

// Each rule, switched off, breaks a promise that a checker names. (asked_confirm_claimed is met too
// seldom by drawn runs: DirectoryTest.ClaimsAsVisibleWhatOthersMayHaveFound.)
TEST_P(DirectoryMutants, is_caught) {
  DirectoryProtections rules;
  rules.*GetParam().rule = false;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    const Drawn drawn = draw(seed);
    DirectorySim sim(seed, drawn.nodes, drawn.faults, drawn.links, rules);
    sim.run(30s);
    sim.settle();
    for (const auto& violation : sim.violations()) {
      if (violation.find(GetParam().symptom) == std::string::npos) continue;
      std::printf("caught by seed %lu: %s\n", seed, violation.c_str());
      return;
    }
  }
  FAIL() << "no seed noticed that " << GetParam().name << " is off";
}

#define RULE(name, symptom) \
  Mutant { &DirectoryProtections::name, #name, symptom }
INSTANTIATE_TEST_SUITE_P(
    Rules, DirectoryMutants,
    ::testing::Values(RULE(asked_in_this_view, "I1"), RULE(withdrawn_freed, "ghost"),
                      RULE(waits_for_all, "I1"), RULE(claims_to_the_last, "I1"),
                      RULE(kept_only_if_open, "I4"), RULE(counts_with_lease, "I2"),
                      RULE(dead_dropped, "ghost"), RULE(lookup_needs_lease, "I4")),
    [](const auto& mutant) { return std::string(mutant.param.name); });
#undef RULE

}  // namespace
}  // namespace coterie::testing
