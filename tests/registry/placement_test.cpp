// Placement: the same everywhere, by weight, and stable when members come and go.

#include "registry/placement.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

View view_of(std::initializer_list<std::pair<std::string, std::uint32_t>> members) {
  View view{.number = 1, .members = {}, .tombstones = {}, .config_digest = {}};
  for (const auto& [name, weight] : members) {
    Member member;
    member.name = name;
    member.kinds = {"contracts"};
    member.weight = weight;
    view.members[name] = std::move(member);
  }
  return view;
}

std::map<std::string, std::string> placed(const View& view, int names) {
  std::map<std::string, std::string> homes;
  for (int i = 0; i < names; ++i) {
    const std::string key = "contract-" + std::to_string(i);
    homes[key] = home(view, "contracts", key)->name;
  }
  return homes;
}

// Golden values: a change of any of them would move every name of every cluster.
TEST(Placement, is_the_same_on_every_platform) {
  EXPECT_EQ(placement_hash("", ""), 0xaf63bd4c8601b7dfull);
  EXPECT_EQ(placement_hash("contracts", "contract-123"), 14458192227921340771ull);
  const View view = view_of({{"a", 100}, {"b", 100}, {"c", 50}});
  std::string order;
  for (int i = 0; i < 12; ++i) {
    for (const Member* member : homes(view, "contracts", std::to_string(i))) order += member->name;
    order += ' ';
  }
  EXPECT_EQ(order, "cab bac bac bac acb bac abc abc bca abc cab bca ");
}

// Each member gets its share by weight, within a few percent.
TEST(Placement, shares_by_weight) {
  std::map<std::string, int> count;
  for (const auto& [key, node] : placed(view_of({{"a", 100}, {"b", 200}, {"c", 100}}), 40'000)) {
    ++count[node];
  }
  EXPECT_NEAR(count["a"], 10'000, 500);
  EXPECT_NEAR(count["b"], 20'000, 500);
  EXPECT_NEAR(count["c"], 10'000, 500);
}

// A newcomer only takes, its share; one that leaves only gives, what it had.
TEST(Placement, moves_no_more_than_a_share) {
  const View before = view_of({{"a", 100}, {"b", 100}, {"c", 100}});
  const View after = view_of({{"a", 100}, {"b", 100}, {"c", 100}, {"d", 100}});
  const auto old_homes = placed(before, 20'000);
  int moved = 0;
  for (const auto& [key, node] : placed(after, 20'000)) {
    if (node == old_homes.at(key)) continue;
    EXPECT_EQ(node, "d") << "moved between members that were there before: " << key;
    ++moved;
  }
  EXPECT_NEAR(moved, 5'000, 300);
}

// Only members that host the kind and are not about to leave; the second home is the next best.
TEST(Placement, passes_over_who_cannot_host) {
  View view = view_of({{"a", 100}, {"b", 100}, {"c", 100}});
  view.members["a"].draining = true;
  view.members["b"].kinds = {"carts"};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(home(view, "contracts", std::to_string(i))->name, "c");
  EXPECT_EQ(home(view, "sessions", "x"), nullptr);
  view = view_of({{"a", 100}, {"b", 100}, {"c", 100}});
  for (int i = 0; i < 100; ++i) {
    const auto order = homes(view, "contracts", std::to_string(i));
    View without = view;
    without.members.erase(order[0]->name);
    EXPECT_EQ(home(without, "contracts", std::to_string(i))->name, order[1]->name);
  }
}

}  // namespace
}  // namespace coterie
