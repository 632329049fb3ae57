// Exceptions and fibers: throw, catch and suspend in every combination, and the end of a process
// through code that resists. Built at -O0, -O1, -O2 and -O3 from this one source.

#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>

#include <coterie/call.hpp>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::await_down;
using test::LocalNode;

/// Many processes run `body(index)` on few workers, so that their suspensions interleave.
void run_many(const std::function<void(int)>& body, int processes = 40) {
  std::vector<Ref> refs;
  for (int i = 0; i < processes; ++i) {
    refs.push_back(spawn_monitor([&body, i] { body(i); }).second);
  }
  for (const Ref ref : refs) EXPECT_EQ(to_string(await_down(ref, 20s).reason), "normal");
}

void pause(int i) { i % 3 == 0 ? sleep(100us) : yield(); }

void require(bool condition, const char* what) {
  if (!condition) exit(ExitReason::term(what));
}

/// Kills a process that runs `body`, once it has set `ready`; true if its stack was abandoned.
bool kill_when_ready(LocalNode& node, const std::function<void(std::atomic<bool>&)>& body) {
  std::atomic<bool> ready = false;
  const auto before = node.runtime.counters().abandoned_fibers.load();
  const auto [pid, ref] = spawn_monitor([&] { body(ready); });
  while (!ready) sleep(100us);
  sleep(1ms);
  exit(pid, ExitReason::kill());
  EXPECT_EQ(await_down(ref, 20s).reason, ExitReason::killed());
  return node.runtime.counters().abandoned_fibers.load() > before;
}

TEST(Exceptions, SuspendInsideNestedCatchBlocksAndRethrow) {
  LocalNode node;
  run_many([](int i) {
    for (int round = 0; round < 20; ++round) {
      const std::string mine = std::to_string(i) + "/" + std::to_string(round);
      try {
        try {
          throw std::runtime_error(mine);
        } catch (const std::runtime_error& outer) {
          pause(i);
          try {
            throw std::logic_error("inner " + mine);
          } catch (const std::logic_error& inner) {
            pause(i);
            require(inner.what() == "inner " + mine, "the inner exception was mixed up");
          }
          pause(i + 1);
          require(outer.what() == mine, "the outer exception was mixed up");
          throw;  // after suspensions: it must still be this fiber's
        }
      } catch (const std::runtime_error& again) {
        require(again.what() == mine, "another exception was rethrown");
      }
      require(std::current_exception() == nullptr, "an exception is left over");
    }
  });
}

TEST(Exceptions, AnExceptionPointerCrossesProcesses) {
  LocalNode node;
  run_many([](int i) {
    std::exception_ptr kept;
    try {
      throw i;
    } catch (...) {
      pause(i);
      kept = std::current_exception();
      pause(i + 1);
    }
    pause(i);
    try {
      std::rethrow_exception(kept);
    } catch (int value) {
      pause(i);
      require(value == i, "another's exception");
    }
  });
}

TEST(Exceptions, SuspendWhileAnotherUnwinds) {
  LocalNode node;
  struct Pauser {
    int i;
    int before = std::uncaught_exceptions();
    ~Pauser() {
      // Its own count, whatever other fibers of this thread throw meanwhile.
      const int now = std::uncaught_exceptions();
      sleep(50us);
      yield();
      if (std::uncaught_exceptions() != now || now != before + 1) std::abort();
    }
  };
  run_many([](int i) {
    for (int round = 0; round < 10; ++round) {
      try {
        const Pauser pauser{i};
        throw std::runtime_error(std::to_string(i));
      } catch (const std::runtime_error& error) {
        require(error.what() == std::to_string(i), "another's exception");
      }
      require(std::uncaught_exceptions() == 0, "uncaught exceptions are left over");
    }
  });
}

TEST(Exceptions, AnEscapedExceptionAfterASuspensionIsTheReason) {
  LocalNode node;
  const Ref ref = spawn_monitor([] {
                    try {
                      throw std::runtime_error("first");
                    } catch (...) {
                      sleep(1ms);
                      throw std::out_of_range("second");
                    }
                  }).second;
  EXPECT_EQ(to_string(await_down(ref, 20s).reason), "{error,std::out_of_range,\"second\"}");
}

TEST(Exceptions, AKillRunsDestructorsAtEveryDepth) {
  LocalNode node;
  std::atomic<int> destroyed = 0;
  struct Guard {
    std::atomic<int>& count;
    ~Guard() { ++count; }
  };
  const std::function<void(int, std::atomic<bool>&)> deep = [&](int depth,
                                                                std::atomic<bool>& ready) {
    const Guard guard{destroyed};
    if (depth > 0) {
      deep(depth - 1, ready);
    } else {
      ready = true;
      sleep(infinity);
    }
  };
  EXPECT_FALSE(kill_when_ready(node, [&](auto& ready) { deep(20, ready); }));
  EXPECT_EQ(destroyed, 21);
}

TEST(Exceptions, AKillInsideACatchBlockUnwinds) {
  LocalNode node;
  EXPECT_FALSE(kill_when_ready(node, [](auto& ready) {
    try {
      throw std::runtime_error("busy with this one");
    } catch (const std::runtime_error&) {
      ready = true;
      sleep(infinity);
    }
  }));
}

TEST(Exceptions, ACatchAllThatCleansUpAndRethrowsEndsInOrder) {
  LocalNode node;
  std::atomic<int> steps = 0;
  EXPECT_FALSE(kill_when_ready(node, [&](auto& ready) {
    try {
      ready = true;
      sleep(infinity);
    } catch (...) {
      sleep(infinity);  // returns at once: the process is ending
      ++steps;
      try {
        throw std::runtime_error("while it cleans up");
      } catch (const std::runtime_error&) {
        sleep(infinity);  // at once too, though another exception is the current one
        ++steps;
      }
      throw;
    }
  }));
  EXPECT_EQ(steps, 2);
}

TEST(Exceptions, ACatchAllThatSwallowsIsLeftBehind) {
  LocalNode node;
  EXPECT_TRUE(kill_when_ready(node, [](auto& ready) {
    for (;;) {
      try {
        ready = true;
        sleep(infinity);
      } catch (...) {
      }
    }
  }));
  // One that swallows and returns has ended all the same.
  EXPECT_FALSE(kill_when_ready(node, [](auto& ready) {
    try {
      ready = true;
      sleep(infinity);
    } catch (...) {
    }
  }));
}

TEST(Exceptions, AKillThroughNoexceptLeavesTheStack) {
  LocalNode node;
  EXPECT_TRUE(kill_when_ready(node, [](auto& ready) {
    [&ready]() noexcept {
      ready = true;
      sleep(infinity);
    }();
  }));
  // Inside a catch block as well.
  EXPECT_TRUE(kill_when_ready(node, [](auto& ready) {
    try {
      throw 1;
    } catch (int) {
      [&ready]() noexcept {
        ready = true;
        sleep(infinity);
      }();
    }
  }));
}

TEST(Exceptions, DestructorsDuringAKillMayCallReceiveAndBlock) {
  LocalNode node;
  struct Ask {
    using Reply = int;
  };
  struct Never {};
  std::atomic<int> done = 0;
  const Pid silent = spawn([] { sleep(infinity); });
  struct Guard {
    std::atomic<int>& steps;
    Pid silent;
    ~Guard() {
      sleep(infinity);
      if (!call(silent, Ask{}, infinity)) ++steps;
      receive([](const Never&) {});
      if (receive([](const Never&) { return 7; }) == 0) ++steps;
      if (blocking([] { return 42; }) == 42) ++steps;
      send(silent, Never{});
      yield();
      ++steps;
    }
  };
  EXPECT_FALSE(kill_when_ready(node, [&](auto& ready) {
    const Guard guard{done, silent};
    ready = true;
    sleep(infinity);
  }));
  EXPECT_EQ(done, 4);
}

TEST(Exceptions, ManyKillsInCatchBlocksLeaveTheOthersAlone) {
  LocalNode node;
  std::atomic<int> right = 0;
  std::vector<std::pair<Pid, Ref>> victims;
  for (int i = 0; i < 60; ++i) {
    victims.push_back(spawn_monitor([] {
      try {
        throw std::runtime_error("victim");
      } catch (...) {
        sleep(infinity);
      }
    }));
  }
  for (const auto& [pid, ref] : victims) exit(pid, ExitReason::kill());
  run_many([&](int i) {
    try {
      throw i;
    } catch (int value) {
      for (int k = 0; k < 10; ++k) pause(i);
      if (value == i) ++right;
    }
  });
  for (const auto& [pid, ref] : victims) {
    EXPECT_EQ(await_down(ref, 20s).reason, ExitReason::killed());
  }
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace coterie
