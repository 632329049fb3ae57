// The table of a local Registry: one holder of a unique key, any number of a duplicate one, nothing
// left of a dead process or a closed registry, whatever threads do at the same time.

#include "registry/local_registry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>

#include "process/seeded_random.hpp"

namespace coterie {
namespace {

constexpr Pid process(std::uint64_t serial) { return {NodeId{1}, serial}; }

struct LocalRegistryTest : ::testing::Test {
  LocalRegistry unique, duplicate;
  LocalRegistryTest() {
    unique.open(Keys::unique);
    duplicate.open(Keys::duplicate);
  }
};

using Strings = std::vector<std::string>;

std::vector<int> numbers(const std::vector<RegistryEntry>& entries) {
  std::vector<int> found;
  for (const auto& entry : entries) found.push_back(*entry.value.get<int>());
  return found;
}

TEST_F(LocalRegistryTest, UniqueKeysHaveOneHolder) {
  EXPECT_TRUE(unique.register_name("x", process(1), "value"));
  EXPECT_EQ(unique.register_name("x", process(2)).error(), process(1));
  EXPECT_EQ(unique.register_name("x", process(1)).error(), process(1));
  EXPECT_TRUE(unique.register_name("w", process(1)));
  EXPECT_EQ(unique.whereis("x"), process(1));
  EXPECT_EQ(unique.lookup("x").at(0).value, "value");
  EXPECT_FALSE(unique.update_value("x", process(2), "new"));
  EXPECT_TRUE(unique.update_value("x", process(1), "new"));
  EXPECT_EQ(unique.lookup("x").at(0).value, "new");
  EXPECT_EQ(unique.keys(process(1)), (Strings{"w", "x"}));
  EXPECT_EQ(unique.unregister("x", process(2)), 0u);
  EXPECT_EQ(unique.unregister("w", process(1)), 1u);
  EXPECT_EQ(unique.count(), 1u);
  EXPECT_EQ(unique.remove_process(process(1)), Strings{"x"});
  EXPECT_EQ(unique.remove_process(process(1)), Strings{});
  EXPECT_EQ(unique.whereis("x"), std::nullopt);
  EXPECT_TRUE(unique.register_name("x", process(2)));
}

TEST_F(LocalRegistryTest, DuplicateKeysKeepTheOrderOfRegistration) {
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(duplicate.register_name("k", process(1 + std::uint64_t(i) % 2), i));
  }
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) expected.push_back(i);
  EXPECT_EQ(numbers(duplicate.lookup("k")), expected);
  const auto odd = [](const RegistryValue& value) { return *value.get<int>() % 4 == 1; };
  EXPECT_EQ(duplicate.unregister_match("k", process(1), odd), 0u);
  EXPECT_EQ(duplicate.unregister_match("k", process(2), odd), 10u);
  std::erase_if(expected, [](int i) { return i % 4 == 1; });
  EXPECT_EQ(numbers(duplicate.lookup("k")), expected);
  const auto values = duplicate.values("k", process(2));
  ASSERT_EQ(values.size(), 10u);
  EXPECT_EQ(values.front(), 3);
  EXPECT_EQ(values.back(), 39);
  EXPECT_EQ(duplicate.unregister("k", process(1)), 20u);
  EXPECT_EQ(duplicate.count(), 10u);
  EXPECT_EQ(duplicate.remove_process(process(2)).size(), 10u);
  EXPECT_TRUE(duplicate.lookup("k").empty());
}

// Goal: agrees with the definition on random sequences, long enough for every table to grow.
TEST_F(LocalRegistryTest, AgreesWithTheDefinition) {
  SeededRandom random(7);
  std::vector<std::pair<std::string, std::pair<Pid, int>>> model;  // in order
  for (int step = 0; step < 4000; ++step) {
    const Pid pid = process(1 + random.below(20));
    const std::string key = "key-" + std::to_string(random.below(60));
    const auto mine = [&](const auto& row) { return row.first == key && row.second.first == pid; };
    const auto what = random.below(12);
    if (what < 8) {
      ASSERT_TRUE(duplicate.register_name(key, pid, step));
      model.push_back({key, {pid, step}});
    } else if (what < 11) {
      ASSERT_EQ(duplicate.unregister(key, pid), std::erase_if(model, mine));
    } else {
      Strings gone;
      for (const auto& row : model) {
        if (row.second.first == pid) gone.push_back(row.first);
      }
      ASSERT_EQ(duplicate.remove_process(pid), gone);
      std::erase_if(model, [&](const auto& row) { return row.second.first == pid; });
    }
    std::vector<int> expected;
    Strings keys;
    for (const auto& row : model) {
      if (row.first == key) expected.push_back(row.second.second);
      if (row.second.first == pid) keys.push_back(row.first);
    }
    std::ranges::sort(keys);
    ASSERT_EQ(numbers(duplicate.lookup(key)), expected) << step;
    ASSERT_EQ(duplicate.keys(pid), keys) << step;
    ASSERT_EQ(duplicate.count(), model.size()) << step;
  }
  EXPECT_EQ(duplicate.rows().size(), model.size());
}

TEST_F(LocalRegistryTest, ForgetsEverythingWhenItCloses) {
  for (std::uint64_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(unique.register_name("a" + std::to_string(i), process(i)));
    ASSERT_TRUE(unique.register_name("b" + std::to_string(i), process(i)));
  }
  EXPECT_EQ(unique.close().size(), 100u);
  EXPECT_EQ(unique.count(), 0u);
  EXPECT_EQ(unique.whereis("a1"), std::nullopt);
  EXPECT_TRUE(unique.keys(process(1)).empty());
  EXPECT_EQ(unique.register_name("a1", process(1)).error(), Pid{});
  unique.open(Keys::duplicate);
  EXPECT_TRUE(unique.register_name("a1", process(1)));
  EXPECT_TRUE(unique.register_name("a1", process(2)));
}

// Many threads, one key each round: exactly one gets it.
TEST_F(LocalRegistryTest, RacesHaveOneWinner) {
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 1; thread <= 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500; ++i) {
        if (unique.register_name(std::to_string(i), process(thread))) ++winners;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(winners, 500);
  std::size_t removed = 0;
  for (std::uint64_t thread = 1; thread <= 4; ++thread) {
    removed += unique.remove_process(process(thread)).size();
  }
  EXPECT_EQ(removed, 500u);
  EXPECT_EQ(unique.count(), 0u);
}

// Goal: a registry that closes and opens again while others register, look up and leave keeps
// nothing of theirs, and every registration that was acknowledged is either closed or removed once.
TEST_F(LocalRegistryTest, ClosesUnderTraffic) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 1; thread <= 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; !stop.load(); ++i) {
        const std::string key = "k" + std::to_string(i % 50);
        static_cast<void>(duplicate.register_name(key, process(thread), i));
        for (const auto& entry : duplicate.lookup(key)) {
          ASSERT_NE(entry.value.get<int>(), nullptr);
        }
        if (i % 3 == 0) duplicate.unregister(key, process(thread));
        if (i % 101 == 0) duplicate.remove_process(process(thread));
        if (i % 211 == 0) static_cast<void>(duplicate.rows());
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    static_cast<void>(duplicate.close());
    duplicate.open(Keys::duplicate);
  }
  stop.store(true);
  for (auto& thread : threads) thread.join();
  std::size_t left = 0;
  for (std::uint64_t thread = 1; thread <= 3; ++thread) {
    left += duplicate.keys(process(thread)).size();
  }
  EXPECT_EQ(duplicate.count(), left);
  EXPECT_LE(duplicate.close().size(), 3u);
  EXPECT_EQ(duplicate.count(), 0u);
}

}  // namespace
}  // namespace coterie
