#pragma once
// Two nodes, a and b, that keep names in one way or the other, on real threads: what a test asks
// of them and waits for.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "registry/names_driver.hpp"

namespace coterie::testing {

class NamesDriverFixture : public ::testing::Test {
 protected:
  NamesDriverFixture() {
    both = std::make_shared<View>();
    both->number = 1;
    for (const char* name : {"a", "b"}) {
      Member member;
      member.name = name;
      member.incarnation = incarnation_of(name);
      member.since = 1;
      both->members[name] = member;
    }
  }
  static Incarnation incarnation_of(std::string_view name) {
    return {1, NodeId{static_cast<unsigned char>(name.front())}};
  }

  template <class Ready>
  bool eventually(Ready ready) {
    const Time end = clock.now() + std::chrono::seconds(10);
    while (!ready() && clock.now() < end) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return ready();
  }
  template <class Result, class Ask>
  Result wait(Ask ask) {
    auto slot = std::make_shared<std::pair<std::mutex, std::optional<Result>>>();
    ask([slot](Result result) {
      std::lock_guard lock(slot->first);
      slot->second = std::move(result);
    });
    EXPECT_TRUE(eventually([&] {
      std::lock_guard lock(slot->first);
      return slot->second.has_value();
    }));
    std::lock_guard lock(slot->first);
    return *slot->second;
  }
  NameResult<Registration> reserve(NamesDriver& node, std::string_view key, Pid owner,
                                   Duration timeout = std::chrono::seconds(5)) {
    return wait<NameResult<Registration>>([&](auto callback) {
      node.reserve("contracts", key, owner, clock.now() + timeout, callback);
    });
  }
  NameResult<void> confirm(NamesDriver& node, std::string_view key, Registration registration) {
    return wait<NameResult<void>>([&](auto callback) {
      node.confirm("contracts", key, registration, clock.now() + std::chrono::seconds(5), callback);
    });
  }
  NameResult<Location> lookup(NamesDriver& node, std::string_view key,
                              Duration timeout = std::chrono::seconds(5)) {
    return wait<NameResult<Location>>(
        [&](auto callback) { node.lookup("contracts", key, clock.now() + timeout, callback); });
  }

  SystemClock clock;
  ThreadExecutor executor{clock};
  std::atomic<int> hints = 0;
  std::shared_ptr<View> both;
  const Pid on_a{NodeId{'a'}, 7}, on_b{NodeId{'b'}, 8};
};

}  // namespace coterie::testing
