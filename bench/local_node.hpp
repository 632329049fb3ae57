#pragma once
// A node to measure: two workers, local registries, the calling thread attached.

#include <coterie/gen_server.hpp>

#include "process/log_capture.hpp"
#include "process/runtime.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "registry/local_names.hpp"

namespace coterie::bench {

struct Node {
  Node() { runtime.set_names(&names); }

  SystemClock clock;
  SystemRandom random;
  CapturedLog sink;
  Log log{sink, clock, "bench"};
  ThreadExecutor executor{clock};
  LocalNames names;
  detail::Runtime runtime{{.node = "bench", .workers = 2}, {clock, random, executor, log}};
  detail::AttachedThread self{runtime};
};

inline double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Runs `body` in a process and waits for its end.
inline void in_process(std::move_only_function<void()> body) {
  const Ref ref = spawn_monitor(std::move(body)).second;
  receive(when([ref](const Down& down) { return down.ref == ref; }, [](const Down&) {}));
}

/// `body` does `total` operations in a process; per second.
inline double rate(Node& node, double total, std::move_only_function<void()> body) {
  Time start{};
  Time end{};
  in_process([&] {
    start = node.clock.now();
    body();
    end = node.clock.now();
  });
  return total / seconds(end - start);
}

/// The small GenServer of all workloads.
class Counter final : public GenServer {
 public:
  struct Increment {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "bench.increment";
    std::int64_t by = 1;
  };
  struct Note {
    static constexpr std::string_view type_name = "bench.note";
    std::int64_t a = 0, b = 0;
  };
  using Calls = Messages<Increment>;
  using Casts = Messages<Note>;
  std::int64_t handle_call(const Increment& m) { return sum_ += m.by; }
  void handle_cast(const Note& m) { sum_ += m.a; }

 private:
  std::int64_t sum_ = 0;
};

/// Ends `pids` and waits until they have.
inline void stop_all(const std::vector<Pid>& pids) {
  in_process([&pids] {
    std::size_t open = 0;
    for (const Pid& pid : pids) {
      monitor(pid);
      exit(pid, ExitReason::shutdown());
      if (++open == 1000) {
        for (; open > 0; --open) receive([](const Down&) {});
      }
    }
    for (; open > 0; --open) receive([](const Down&) {});
  });
}

}  // namespace coterie::bench
