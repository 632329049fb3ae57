#pragma once
// A node of processes on real threads, with the test's thread attached.

#include <gtest/gtest.h>

#include <coterie/process.hpp>

#include "process/log_capture.hpp"
#include "process/runtime.hpp"
#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"

namespace coterie::test {

struct LocalNode {
  explicit LocalNode(detail::RuntimeOptions options = {.node = "test", .workers = 2})
      : runtime(std::move(options), {clock, random, executor, log}) {}

  SystemClock clock;
  SeededRandom random{1};
  CapturedLog sink;
  Log log{sink, clock, "test"};
  ThreadExecutor executor{clock};
  detail::Runtime runtime;
  detail::AttachedThread self{runtime};
};

/// The Down of `ref`, or a failure when it does not come.
inline Down await_down(Ref ref, Duration longest = std::chrono::seconds(10)) {
  Down result;
  receive(when([ref](const Down& down) { return down.ref == ref; },
               [&](const Down& down) { result = down; }),
          after(longest, [] { FAIL() << "no Down"; }));
  return result;
}

}  // namespace coterie::test
