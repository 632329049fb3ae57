// Names over many nodes, together with the agreement, under faults: at every instant one owner,
// epochs that grow, nothing left behind. Every rule that is switched off is noticed.

#include <gtest/gtest.h>

#include "registry/store_names.hpp"
#include "tests/registry/owners_sim.hpp"

namespace coterie::testing {
namespace {

constexpr Duration sweep_every = 3s;

class NamesSim final : public OwnersSim<StoreNames> {
 public:
  NamesSim(std::uint64_t seed, int nodes, Faults faults, NameProtections rules = {})
      : OwnersSim(seed, nodes, faults), rules_(rules) {
    at(500ms, [this] { churn(); });
    names_store_.on_commit = [this](const Transaction& transaction,
                                    const TransactionResult& result) {
      check_epochs(transaction, result);
    };
  }

  // After run(): everybody gives up its names, and nothing may be left.
  void settle() {
    give_all_up(5s);
    const Duration swept = now_ + sweep_every + 1s;
    while (step_until(swept)) {
    }
    const auto rows = *names_store_.scan("names/row/");
    for (const Record& record : rows) {
      const auto row = decode_name(record.value, record.version);
      const Member* owner = last_view_.find(row->node);
      if (!owner) violation("not swept: " + record.key + " of " + row->node);
      if (owner && owner->incarnation == row->incarnation) {
        violation("ghost: " + record.key + " is held by nobody on " + row->node);
      }
    }
  }

 private:
  std::unique_ptr<StoreNames> make_core(const NodePtr& node) override {
    return std::make_unique<StoreNames>(NamesOptions{.node = node->name,
                                                     .incarnation = node->incarnation,
                                                     .batch_max = 8,
                                                     .sweep_every = sweep_every,
                                                     .protections = rules_});
  }

  // I2: in the order of their commits, the registrations of a name have growing epochs.
  void check_epochs(const Transaction& transaction, const TransactionResult& result) {
    for (std::size_t i = 0; i < transaction.writes.size(); ++i) {
      const auto& [key, value] = transaction.writes[i];
      if (!value || !key.starts_with("names/row/")) continue;
      const auto row = decode_name(*value, result.versions[i]);
      Epoch& last = epochs_[key];
      if (row->confirmed ? row->epoch != last : row->epoch <= last) {
        violation("I2 epoch of " + key + " went from " + to_string(last) + " to " +
                  to_string(row->epoch));
      }
      last = row->epoch;
    }
  }

  void churn() {
    if (!busy()) return;
    at(now_ + between(5ms, 60ms), [this] { churn(); });
    if (nodes_.empty()) return;
    const auto node = nodes_[random_() % nodes_.size()];
    if (!node->alive || now_ < node->paused_until) return;
    Local& state = at_node(node);
    const std::string name = StoreNames::row_key("name " + std::to_string(random_() % 6));
    const std::uint64_t request = state.next_request++;
    state.asked[request] = name;
    const Time now = local(*node);
    const double what = chance();
    if (what < 0.2) {
      step(node, StoreNames::Lookup{request, name, now + between(10ms, 2s)});
    } else if (auto owned = state.owned.find(name); owned != state.owned.end()) {
      // The process ends; now and then another takes the name on at once.
      if (what < 0.3) return;
      release(node, name, state.owned.extract(owned).mapped());
      if (what < 0.6) step(node, StoreNames::Reserve{request, name, request, now + 1s});
    } else {
      step(node, StoreNames::Reserve{request, name, request, now + between(10ms, 2s)});
      if (what > 0.9) {
        at(now_ + between(1ms, 100ms), [this, node, request, name] {
          deliver(node, [=, this] { withdraw(node, name, request); });
        });
      }
    }
  }

  void carry_out(const NodePtr& node, StoreNames::Action& action) override {
    note(action.index());
    if (auto* commit = std::get_if<StoreNames::CommitStore>(&action)) {
      auto results = std::make_shared<std::vector<TransactionResult>>();
      statement(
          node,
          [this, results, transactions = std::move(commit->transactions)] {
            *results = *names_store_.commit(transactions);
          },
          [this, node, results, id = commit->id](bool ok) {
            StoreNames::Committed done{id, std::unexpected(StorageError{})};
            if (ok) done.results = std::move(*results);
            step(node, done);
          });
    } else if (auto* fetch = std::get_if<StoreNames::FetchStore>(&action)) {
      auto records = std::make_shared<std::vector<std::optional<Record>>>();
      statement(
          node, [this, records, keys = fetch->keys] { *records = *names_store_.read_many(keys); },
          [this, node, records, id = fetch->id](bool ok) {
            StoreNames::Fetched done{id, std::unexpected(StorageError{})};
            if (ok) done.records = std::move(*records);
            step(node, done);
          });
    } else if (auto* scan = std::get_if<StoreNames::ScanStore>(&action)) {
      auto records = std::make_shared<std::vector<Record>>();
      statement(
          node, [this, records, prefix = scan->prefix] { *records = *names_store_.scan(prefix); },
          [this, node, records, id = scan->id](bool ok) {
            StoreNames::Scanned done{id, std::unexpected(StorageError{})};
            if (ok) done.records = std::move(*records);
            step(node, done);
          });
    } else if (auto* reserved = std::get_if<StoreNames::Reserved>(&action)) {
      answer(node, *reserved);
    } else if (auto* location = std::get_if<StoreNames::Found>(&action)) {
      if (location->result) ++found;
    } else if (std::get_if<StoreNames::ReadView>(&action)) {
      hint(node);
    } else if (auto* timer = std::get_if<StoreNames::SetTimer>(&action)) {
      arm(node, timer->at);
    }
  }

  NameProtections rules_;
  ModelStore names_store_;
  std::map<std::string, Epoch> epochs_;
};

Faults drawn_faults(std::uint64_t seed) {
  std::mt19937_64 random(seed * 131);
  auto chance = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  Faults faults;
  if (chance() < 0.6) faults.request_lost = chance() * 0.1;
  if (chance() < 0.6) faults.answer_lost = chance() * 0.1;
  if (chance() < 0.6) faults.applied_late = chance() * 0.1;
  if (chance() < 0.3) faults.slow = chance() * 0.1;
  if (chance() < 0.7) faults.drift = 1.0;
  if (chance() < 0.6) faults.crash_every = 6s;
  if (chance() < 0.6) faults.pause_every = 5s;
  if (chance() < 0.3) faults.outage_every = 15s;
  if (chance() < 0.6) faults.cut_every = 6s;
  if (chance() < 0.3) faults.leave_every = 15s;
  if (chance() < 0.5) faults.guardian = 0.8;
  return faults;
}

// One owner a name, growing epochs, no ghosts; everything asked for ends.
TEST(NamesSim, keeps_its_promises_under_faults) {
  std::uint64_t oks = 0, taken = 0, timeouts = 0, found = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    NamesSim sim(seed, 3 + static_cast<int>(seed % 3), drawn_faults(seed));
    sim.run(30s);
    sim.settle();
    ASSERT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations().front();
    oks += sim.oks;
    taken += sim.taken;
    timeouts += sim.timeouts;
    found += sim.found;
  }
  EXPECT_GT(oks, 20'000u);
  EXPECT_GT(taken, 6'000u);
  EXPECT_GT(timeouts, 2'000u);
  EXPECT_GT(found, 2'000u);
}

struct Mutant {
  const char* name;
  std::vector<bool NameProtections::*> rules;
  const char* symptom;
};

class NamesMutants : public ::testing::TestWithParam<Mutant> {};

// Each rule, switched off, breaks a promise that a checker names.
TEST_P(NamesMutants, is_caught) {
  NameProtections rules;
  for (const auto rule : GetParam().rules) rules.*rule = false;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    NamesSim sim(seed, 3 + static_cast<int>(seed % 3), drawn_faults(seed), rules);
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

// The wait for a newer row's view stands behind the view's record, so it is shown without that.
INSTANTIATE_TEST_SUITE_P(
    Rules, NamesMutants,
    ::testing::Values(Mutant{"session_fence", {&NameProtections::session_fence}, "ghost"},
                      Mutant{"view_record", {&NameProtections::view_record}, "I2"},
                      Mutant{"newer_row_waits",
                             {&NameProtections::view_record, &NameProtections::newer_row_waits},
                             "I1"},
                      Mutant{"own_id_taken", {&NameProtections::own_id_taken}, "I1"},
                      Mutant{"withdrawn_freed", {&NameProtections::withdrawn_freed}, "ghost"},
                      Mutant{"row_unchanged", {&NameProtections::row_unchanged}, "I1"},
                      Mutant{"owner_in_view", {&NameProtections::owner_in_view}, "I1"}),
    [](const auto& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace coterie::testing
