// The small parts of the runtime, each alone, with Google Benchmark: `./run bench parts` passes its
// flags on (--benchmark_filter=timer). What they cost together is what bench/local*.cpp measures.

#include <benchmark/benchmark.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>

#include "process/fiber.hpp"
#include "process/mailbox.hpp"
#include "process/timer.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

struct Small {
  static constexpr std::string_view type_name = "parts.small";
  std::int64_t a = 1;
  std::int64_t b = 2;
};
struct Order {
  static constexpr std::string_view type_name = "parts.order";
  std::int64_t id = 42;
  std::string customer = "customer-0123456789";
  std::vector<std::int64_t> lines = std::vector<std::int64_t>(16, 7);
  std::map<std::string, std::string> notes{{"colour", "red"}, {"size", "large"}};
};

// ---- messages and mailboxes

void message_make_and_free(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(detail::make_message(detail::MessageKind::cast, Small{}));
  }
}
BENCHMARK(message_make_and_free);

/// So many pushes, then one take: what a burst of senders and the receiver's slice do.
void mailbox_push_and_take(benchmark::State& state) {
  detail::Mailbox mailbox;
  std::atomic<std::uint32_t> taken{0};
  std::vector<detail::MessagePtr> messages;
  for (int i = 0; i < state.range(0); ++i) {
    messages.push_back(detail::make_message(detail::MessageKind::cast, Small{}));
  }
  for (auto _ : state) {
    for (auto& message : messages) benchmark::DoNotOptimize(mailbox.push(*message, 1 << 20, taken));
    benchmark::DoNotOptimize(mailbox.take(taken));
    taken.store(0, std::memory_order_relaxed);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(mailbox_push_and_take)->Arg(1)->Arg(64);

/// The way of a call's message into a process at rest: push, and rest again.
void mailbox_rest_and_wake(benchmark::State& state) {
  detail::Mailbox mailbox;
  std::atomic<std::uint32_t> taken{0};
  const auto message = detail::make_message(detail::MessageKind::call, Small{});
  for (auto _ : state) {
    benchmark::DoNotOptimize(mailbox.rest());
    benchmark::DoNotOptimize(mailbox.push(*message, 1 << 20, taken));
    benchmark::DoNotOptimize(mailbox.take(taken));
    taken.store(0, std::memory_order_relaxed);
  }
}
BENCHMARK(mailbox_rest_and_wake);

// ---- fibers

struct Pair {
  detail::Fiber thread;
  detail::Fiber fiber{64u << 10, [](void* pair) { static_cast<Pair*>(pair)->run(); }, this};
  [[noreturn]] void run() {
    for (;;) fiber.switch_to(thread);
  }
};

/// There and back: two switches.
void fiber_switch(benchmark::State& state) {
  Pair pair;
  for (auto _ : state) pair.thread.switch_to(pair.fiber);
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(fiber_switch);

void fiber_make_and_unmap(benchmark::State& state) {
  for (auto _ : state)
    detail::Fiber fiber(
        64u << 10, [](void*) { std::abort(); }, nullptr);
}
BENCHMARK(fiber_make_and_unmap);

// ---- timers

/// Of a call whose answer comes before the worker reads its clock.
void timer_set_and_cancel(benchmark::State& state) {
  detail::TimerQueue timers;
  detail::Timer timer([](detail::Timer&) {});
  for (auto _ : state) {
    timers.set(timer, 5s);
    timers.cancel(timer);
  }
}
BENCHMARK(timer_set_and_cancel);

/// A thousand a moment, dated into the wheel, cancelled there.
void timer_wheel(benchmark::State& state) {
  detail::TimerQueue timers;
  std::vector<std::unique_ptr<detail::Timer>> many;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(std::make_unique<detail::Timer>([](detail::Timer&) {}));
  }
  Time now{1h};
  for (auto _ : state) {
    for (auto& timer : many) timers.set(*timer, 5s);
    benchmark::DoNotOptimize(timers.advance(now += 1us));
    for (auto& timer : many) timers.cancel(*timer);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(timer_wheel);

/// A thousand that fire, ordered by the heap.
void timer_fire(benchmark::State& state) {
  detail::TimerQueue timers;
  std::vector<std::unique_ptr<detail::Timer>> many;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(std::make_unique<detail::Timer>([](detail::Timer&) {}));
  }
  Time now{1h};
  for (auto _ : state) {
    for (std::size_t i = 0; i < many.size(); ++i) {
      timers.set(*many[i], Duration(1 + i * 7919 % 1000));
    }
    timers.advance(now);
    benchmark::DoNotOptimize(timers.advance(now += 1ms));
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(timer_fire);

// ---- from a message to its handler

class Counter final : public GenServer {
 public:
  struct Other {};
  struct Add {
    std::int64_t by = 1;
  };
  using Casts = Messages<Other, Add>;
  void handle_cast(const Other&) {}
  void handle_cast(const Add& add) { count_ += add.by; }

 private:
  std::int64_t count_ = 0;
};

/// The server's table, found by the message's type; no process around it.
void dispatch_cast(benchmark::State& state) {
  detail::ServerCallbacks<Counter> counter(std::in_place);
  detail::Callbacks& callbacks = counter;
  const auto message = detail::make_message(detail::MessageKind::cast, Counter::Add{});
  for (auto _ : state) benchmark::DoNotOptimize(callbacks.handle(*message, {}));
}
BENCHMARK(dispatch_cast);

// ---- packing

template <class T>
void pack_message(benchmark::State& state) {
  const T value;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const Bytes packed = pack(value);
    bytes = packed.size();
    benchmark::DoNotOptimize(packed.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(pack_message<Small>);
BENCHMARK(pack_message<Order>);

template <class T>
void unpack_message(benchmark::State& state) {
  const Bytes packed = pack(T{});
  for (auto _ : state) benchmark::DoNotOptimize(unpack<T>(packed));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(packed.size()));
}
BENCHMARK(unpack_message<Small>);
BENCHMARK(unpack_message<Order>);

}  // namespace
}  // namespace coterie::bench

BENCHMARK_MAIN();
