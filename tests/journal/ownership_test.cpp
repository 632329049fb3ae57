#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/journal/engines.hpp"

namespace coterie::test {
namespace {

class OwnershipTest : public OnEachEngine {};
COTERIE_ON_EACH_ENGINE(OwnershipTest);

/// What one node saw while it took streams from the others and lost them again.
struct Seen {
  std::map<std::string, std::set<Bytes>> acked;                       // by stream
  std::map<std::string, std::map<Epoch, std::vector<Event>>> opened;  // what open returned
  std::vector<std::string> errors;
};

void take_and_append(StorageSet& node, const std::string& name, unsigned seed,
                     std::atomic<std::uint64_t>& epochs, int rounds, Seen& seen) {
  std::mt19937 random(seed);
  const std::vector<std::string> streams = {"s0", "s1", "s2"};
  for (int round = 0; round < rounds; ++round) {
    const Epoch epoch{1, ++epochs};
    std::vector<Opening> openings;
    for (const auto& stream : streams) {
      if (random() % 2 == 0) openings.push_back({stream, epoch});
    }
    auto opened = node.streams->open_many(openings);
    if (!opened) {
      seen.errors.push_back(opened.error().message);
      return;
    }
    std::map<std::string, std::uint64_t> next;
    for (std::size_t i = 0; i < openings.size(); ++i) {
      auto& events = (*opened)[i];
      if (events) {
        next[openings[i].stream] = events->size() + 1;
        seen.opened[openings[i].stream][epoch] = std::move(*events);
      } else if (events.error().code != StorageError::Code::fenced) {
        seen.errors.push_back(events.error().message);
      }
    }
    for (int i = 0; i < 4 && !next.empty(); ++i) {
      std::vector<Append> batch;
      for (const auto& [stream, sequence] : next) {
        const auto payload = name + "." + std::to_string(epoch.counter) + "." + std::to_string(i);
        batch.push_back({stream, epoch, sequence, {{.payload = payload}}});
      }
      const auto results = node.streams->append(batch);
      if (!results) {
        seen.errors.push_back(results.error().message);
        return;
      }
      for (std::size_t j = 0; j < batch.size(); ++j) {
        if ((*results)[j]) {
          seen.acked[batch[j].stream].insert(batch[j].events[0].payload);
          ++next[batch[j].stream];
        } else {
          // Losing a stream is part of the game; any other refusal of its owner is a fault.
          if ((*results)[j].error().code != StorageError::Code::fenced) {
            seen.errors.push_back((*results)[j].error().message);
          }
          next.erase(batch[j].stream);
        }
      }
    }
  }
}

// Three owners that take streams from one another while they append: nothing acknowledged is lost
// or doubled, sequences have no gap, epochs never fall, and nothing of an older epoch is accepted
// after an open of a newer one has answered.
TEST_P(OwnershipTest, MovesUnderLoadLoseNothing) {
  constexpr int rounds = 25;
  std::atomic<std::uint64_t> epochs = 0;
  std::map<std::string, Seen> seen;
  std::vector<StorageSet> nodes;
  std::vector<std::thread> threads;
  const std::vector<std::string> names = {"a", "b", "c"};
  for (const auto& name : names) {
    nodes.push_back(place_.storage(name));
    seen[name];
  }
  for (unsigned i = 0; i < names.size(); ++i) {
    threads.emplace_back(
        [&, i] { take_and_append(nodes[i], names[i], 7 + i, epochs, rounds, seen[names[i]]); });
  }
  for (auto& thread : threads) thread.join();

  std::size_t events_total = 0;
  for (const std::string stream : {"s0", "s1", "s2"}) {
    const auto events = nodes[0].streams->read(stream);
    ASSERT_TRUE(events) << events.error().message;
    events_total += events->size();
    std::multiset<Bytes> stored;
    for (std::size_t i = 0; i < events->size(); ++i) {
      EXPECT_EQ((*events)[i].sequence, i + 1);
      if (i > 0) {
        EXPECT_LE((*events)[i - 1].epoch, (*events)[i].epoch);
      }
      stored.insert((*events)[i].payload);
    }
    std::size_t acked = 0;
    for (const auto& name : names) {
      for (const auto& payload : seen[name].acked[stream]) {
        ++acked;
        EXPECT_EQ(stored.count(payload), 1u) << payload;
      }
      for (const auto& [epoch, found] : seen[name].opened[stream]) {
        const auto newer =
            std::ranges::find_if(*events, [&](const Event& event) { return event.epoch >= epoch; });
        EXPECT_TRUE(std::equal(found.begin(), found.end(), events->begin(), newer))
            << to_string(epoch);
      }
    }
    EXPECT_EQ(acked, events->size());  // no error was lost, so every event has its answer
  }
  for (const auto& name : names) EXPECT_THAT(seen[name].errors, testing::IsEmpty());
  EXPECT_GT(events_total, 50u);
}

// Threads of one node share its stores: appends to different streams at once, each complete.
TEST_P(OwnershipTest, ThreadsOfOneNodeAppendAtOnce) {
  auto node = place_.storage("a");
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const auto stream = "s" + std::to_string(t);
      if (!node.streams->open(stream, {1, 1})) ++failures;
      for (std::uint64_t i = 1; i <= 30; ++i) {
        Append append{stream, {1, 1}, i, {{.payload = std::to_string(i)}}};
        auto result = node.streams->append({&append, 1});
        if (!result || !result->front()) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  for (int t = 0; t < 3; ++t) {
    EXPECT_EQ(node.streams->read("s" + std::to_string(t)).value().size(), 30u);
  }
}

}  // namespace
}  // namespace coterie::test
