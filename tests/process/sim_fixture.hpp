#pragma once
// A node of processes on virtual time in one thread, with the test's thread attached: sleeps and
// timeouts take no time, nothing depends on the machine, and the seed decides who runs next.

#include "process/log_capture.hpp"
#include "process/runtime.hpp"
#include "sim/sim_executor.hpp"
#include "sim/sim_world.hpp"

namespace coterie::test {

struct VirtualNode {
  explicit VirtualNode(std::uint64_t seed = 1) : world(seed) {}

  /// Virtual time since the node started.
  Duration elapsed() const { return world.now() - start; }
  /// Whether no message at all waits in the test's mailbox.
  static bool mailbox_is_empty() {
    return !receive([](AnyMessage) { return true; },
                    after(std::chrono::nanoseconds(0), [] { return false; }));
  }

  sim::SimWorld world;
  const Time start = world.now();
  sim::SimExecutor executor{world};
  CapturedLog sink;
  Log log{sink, world.clock(), "test"};
  detail::Runtime runtime{{.node = "test", .workers = 2, .stack_bytes = 128u << 10},
                          {world.clock(), world.random(), executor, log}};
  detail::AttachedThread self{runtime};
};

/// Ends when the process does; its reason.
inline ExitReason wait_for_end(const Pid& pid) {
  const Ref ref = monitor(pid);
  return receive(when([ref](const Down& down) { return down.ref == ref; },
                      [](const Down& down) { return down.reason; }));
}

/// Runs `body` as a process and waits for its end; its exit reason.
inline ExitReason run_process(std::move_only_function<void()> body, SpawnOptions options = {}) {
  const auto [pid, ref] = spawn_monitor(std::move(body), std::move(options));
  return receive(when([ref = ref](const Down& down) { return down.ref == ref; },
                      [](const Down& down) { return down.reason; }));
}

}  // namespace coterie::test
