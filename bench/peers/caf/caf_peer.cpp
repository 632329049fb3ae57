// The local workloads on CAF, the C++ Actor Framework: the same as bench/local_calls.cpp,
// local_spawns.cpp and local_classics.cpp, written as a user of CAF would, with event-based actors.
// First line: the version. Then one a figure: name unit median least most runs. Messages are plain
// numbers, so that no version of CAF needs them declared; each handler has a type of its own.

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "caf/all.hpp"

namespace {

using namespace caf;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void report(const char* name, const char* unit, std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  std::printf("%s %s %.6g %.6g %.6g %zu\n", name, unit, samples[samples.size() / 2],
              samples.front(), samples.back(), samples.size());
  std::fflush(stdout);
}

void measure(const char* name, const char* unit, int runs, const std::function<double()>& run) {
  run();  // warm
  std::vector<double> samples;
  for (int i = 0; i < runs; ++i) samples.push_back(run());
  report(name, unit, std::move(samples));
}

/// `operations` a second of what `start` sets going; it is over with `ends` messages to `self`.
double rate(scoped_actor& self, double operations, int ends, const std::function<void()>& start) {
  const auto began = Clock::now();
  start();
  for (int i = 0; i < ends; ++i) {
    self->receive([](int8_t) {});
  }
  return operations / seconds_since(began);
}

void kill_all(const std::vector<actor>& actors) {
  for (const auto& one : actors) anon_send_exit(one, exit_reason::kill);
}

// ---- calls and casts

struct Count {
  int64_t value = 0;
  int64_t notes = 0;
};
behavior counter(stateful_actor<Count>* self) {
  return {
      [self](int64_t by) -> int64_t { return self->state.value += by; },
      [self](int64_t, int64_t) { ++self->state.notes; },
  };
}
std::vector<actor> counters(actor_system& system, int count) {
  std::vector<actor> made;
  for (int i = 0; i < count; ++i) made.push_back(system.spawn(counter));
  return made;
}

/// Calls one after the other; each reply makes the next.
struct Caller {
  actor server;
  int left = 0;
  std::function<void(int left)> replied;
  std::function<void()> done;
};
void call_next(stateful_actor<Caller>* self) {
  if (self->state.left-- == 0) {
    self->state.done();
    return;
  }
  self->request(self->state.server, infinite, int64_t{1}).then([self](int64_t) {
    if (self->state.replied) self->state.replied(self->state.left);
    call_next(self);
  });
}
void caller(stateful_actor<Caller>* self, Caller what) {
  self->state = std::move(what);
  call_next(self);
}

double calls_per_second(actor_system& system, int clients, int servers, int total) {
  scoped_actor self{system};
  const auto all = counters(system, servers);
  const actor main = actor_cast<actor>(self);
  const double result = rate(self, total, clients, [&] {
    for (int c = 0; c < clients; ++c) {
      system.spawn(caller, Caller{all[static_cast<std::size_t>(c) % all.size()],
                                  total / clients,
                                  {},
                                  [main] { anon_send(main, int8_t{1}); }});
    }
  });
  kill_all(all);
  return result;
}

/// Microseconds. Clock reads cost as much as a call: each sample is the mean of eight calls.
double call_p50(actor_system& system) {
  constexpr int batch = 8;
  constexpr int count = 20'000;
  scoped_actor self{system};
  const auto server = counters(system, 1);
  const actor main = actor_cast<actor>(self);
  std::vector<double> samples;
  samples.reserve(count);
  auto last = Clock::now();
  const auto replied = [&](int left) {
    if (left % batch != 0) return;
    const auto now = Clock::now();
    samples.push_back(std::chrono::duration<double>(now - last).count() * 1e6 / batch);
    last = now;
  };
  system.spawn(caller, Caller{server.front(), count * batch, replied,
                              [main] { anon_send(main, int8_t{1}); }});
  self->receive([](int8_t) {});
  kill_all(server);
  std::nth_element(samples.begin(), samples.begin() + count / 2, samples.end());
  return samples[count / 2];
}

double casts_per_second(actor_system& system, int producers, int servers, int total) {
  scoped_actor self{system};
  const auto all = counters(system, servers);
  const double result = rate(self, total, 0, [&] {
    const actor main = actor_cast<actor>(self);
    for (int p = 0; p < producers; ++p) {
      system.spawn([&all, main, each = total / producers](event_based_actor* producer) {
        for (int64_t i = 0; i < each; ++i) {
          producer->send(all[static_cast<std::size_t>(i) % all.size()], i, i);
        }
        producer->send(main, int8_t{1});
      });
    }
    for (int p = 0; p < producers; ++p) self->receive([](int8_t) {});
    // Each server has handled what came before.
    for (const auto& server : all) {
      self->request(server, infinite, int64_t{1}).receive([](int64_t) {}, [](const error&) {});
    }
  });
  kill_all(all);
  return result;
}

// ---- actors that come and go, and a million that stay

struct Spawner {
  int left = 0;
  int batch = 0;
  int ended = 0;
  actor main;
};
void spawn_batch(stateful_actor<Spawner>* self) {
  if (self->state.left == 0) {
    self->send(self->state.main, int8_t{1});
    self->quit();
    return;
  }
  self->state.left -= self->state.batch;
  self->state.ended = 0;
  for (int i = 0; i < self->state.batch; ++i)
    self->spawn<monitored>([](event_based_actor* child) { child->quit(); });
}
behavior spawner(stateful_actor<Spawner>* self, int total, const actor& main) {
  self->state = {total, 100, 0, main};
  self->set_down_handler([self](const down_msg&) {
    if (++self->state.ended == self->state.batch) spawn_batch(self);
  });
  spawn_batch(self);
  return {[](int8_t) {}};
}
double spawns_per_second(actor_system& system, int total) {
  scoped_actor self{system};
  const actor main = actor_cast<actor>(self);
  actor parent;  // without a handle CAF would end it
  return rate(self, total, 1, [&] { parent = system.spawn(spawner, total, main); });
}

std::size_t memory_used() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Calls each of them once.
struct Visit {
  std::size_t next = 0;
};
void visit_next(stateful_actor<Visit>* self, const std::vector<actor>* all, const actor& main) {
  if (self->state.next == all->size()) {
    self->send(main, int8_t{1});
    return;
  }
  self->request((*all)[self->state.next++], infinite, int64_t{1}).then([self, all, main](int64_t) {
    visit_next(self, all, main);
  });
}
void visitor(stateful_actor<Visit>* self, const std::vector<actor>* all, const actor& main) {
  visit_next(self, all, main);
}

void measure_million() {
  std::vector<double> rates;
  double bytes = 0;
  for (int run = 0; run < 3; ++run) {
    actor_system_config config;
    actor_system system{config};
    std::vector<actor> all(1'000'000);
    const std::size_t before = memory_used();
    const auto start = Clock::now();
    for (auto& one : all) one = system.spawn(counter);
    rates.push_back(1e6 / seconds_since(start));
    {
      scoped_actor self{system};
      system.spawn(visitor, &all, actor_cast<actor>(self));
      self->receive([](int8_t) {});
    }
    bytes = static_cast<double>(memory_used() - before) / 1e6;
    kill_all(all);
  }
  report("local.spawn1M.per_s", "1/s", rates);
  report("local.spawn1M.bytes", "B", {bytes});
}

// ---- the classics

struct Next {
  actor next;
};
behavior ring_member(stateful_actor<Next>* self, const actor& next, const actor& main) {
  self->state.next = next;
  return {
      [self, main](int64_t hops) {
        if (hops == 0) {
          self->send(main, int8_t{1});
        } else {
          self->send(self->state.next, hops - 1);
        }
      },
      [self](const actor& other) { self->state.next = other; },
  };
}
double ring(actor_system& system, int size, int64_t hops) {
  scoped_actor self{system};
  const actor main = actor_cast<actor>(self);
  std::vector<actor> members;
  const double result = rate(self, static_cast<double>(hops), 1, [&] {
    actor next;
    for (int i = 0; i < size; ++i) {
      next = system.spawn(ring_member, next, main);
      members.push_back(next);
    }
    anon_send(members.front(), members.back());
    anon_send(members.front(), hops);
  });
  kill_all(members);
  return result;
}

behavior ponger(event_based_actor*) {
  return {[](int32_t ball) { return ball; }};
}
behavior pinger(event_based_actor* self, const actor& other, int rounds, const actor& main) {
  self->send(other, int32_t{rounds});
  return {[=](int32_t left) {
    if (left == 1) {
      self->send(main, int8_t{1});
      self->send_exit(other, exit_reason::user_shutdown);
      self->quit();
    } else {
      self->send(other, left - 1);
    }
  }};
}
double pingpong(actor_system& system, int rounds) {
  scoped_actor self{system};
  const actor main = actor_cast<actor>(self);
  return rate(self, rounds, 1, [&] { system.spawn(pinger, system.spawn(ponger), rounds, main); });
}

/// Answers pings while it makes its own, one at a time, to peers at random.
struct Big {
  const std::vector<actor>* peers = nullptr;
  int left = 0;
  uint64_t seed = 0;
};
behavior big_member(stateful_actor<Big>* self, const std::vector<actor>* peers, int pings,
                    uint64_t seed, const actor& main) {
  self->state = {peers, pings, seed};
  const auto ping = [self, main] {
    auto& state = self->state;
    if (state.left-- == 0) {
      self->send(main, int8_t{1});
      return;
    }
    state.seed = state.seed * 6364136223846793005u + 1442695040888963407u;
    self->send((*state.peers)[(state.seed >> 33) % state.peers->size()], int32_t{1});
  };
  return {
      [](int32_t) { return int16_t{1}; },  // a ping is answered
      [ping](int16_t) { ping(); },         // the answer, or the start
  };
}
double big(actor_system& system, int members, int pings) {
  scoped_actor self{system};
  const actor main = actor_cast<actor>(self);
  std::vector<actor> peers;
  for (int i = 0; i < members; ++i) {
    peers.push_back(system.spawn(big_member, &peers, pings, static_cast<uint64_t>(i) + 1, main));
  }
  const double result = rate(self, static_cast<double>(members) * pings, members, [&] {
    for (const auto& one : peers) anon_send(one, int16_t{1});
  });
  for (const auto& one : peers) anon_send_exit(one, exit_reason::user_shutdown);
  for (const auto& one : peers) self->wait_for(one);  // `peers` is theirs until then
  return result;
}

double counting(actor_system& system, int messages) {
  scoped_actor self{system};
  return rate(self, messages, 0, [&] {
    const actor server = system.spawn(counter);
    for (int64_t i = 0; i < messages; ++i) self->send(server, i, i);
    self->request(server, infinite, int64_t{1}).receive([](int64_t) {}, [](const error&) {});
    anon_send_exit(server, exit_reason::kill);
  });
}

struct Sky {
  int64_t sum = 0;
  int left = 10;
};
behavior sky_member(stateful_actor<Sky>* self, int64_t number, int64_t leaves,
                    const actor& parent) {
  if (leaves == 1) {
    self->send(parent, number);
    self->quit();
    return {};
  }
  const actor me = actor_cast<actor>(self);
  for (int64_t i = 0; i < 10; ++i) {
    self->spawn(sky_member, number + i * leaves / 10, leaves / 10, me);
  }
  return {[self, parent](int64_t part) {
    self->state.sum += part;
    if (--self->state.left > 0) return;
    self->send(parent, self->state.sum);
    self->quit();
  }};
}
double skynet_ms(actor_system& system) {
  scoped_actor self{system};
  const auto start = Clock::now();
  system.spawn(sky_member, int64_t{0}, int64_t{1'000'000}, actor_cast<actor>(self));
  int64_t sum = 0;
  self->receive([&sum](int64_t all) { sum = all; });
  return sum == 499'999'500'000 ? seconds_since(start) * 1e3 : -1;
}

}  // namespace

int main() {
  std::printf("caf %d.%d.%d\n", CAF_VERSION / 10'000, CAF_VERSION / 100 % 100, CAF_VERSION % 100);
  {
    actor_system_config config;
    actor_system system{config};
    measure("local.call.1c1s.p50", "us", 5, [&] { return call_p50(system); });
    measure("local.call.1c1s", "1/s", 5, [&] { return calls_per_second(system, 1, 1, 500'000); });
    measure("local.call.1000c1000s", "1/s", 5,
            [&] { return calls_per_second(system, 1000, 1000, 500'000); });
    measure("local.cast.1p1s", "1/s", 5, [&] { return casts_per_second(system, 1, 1, 1'000'000); });
    measure("local.cast.2p1000s", "1/s", 5,
            [&] { return casts_per_second(system, 2, 1000, 1'000'000); });
    measure("local.spawn_exit", "1/s", 5, [&] { return spawns_per_second(system, 200'000); });
    measure("local.ring1000", "1/s", 5, [&] { return ring(system, 1000, 1'000'000); });
    measure("local.pingpong", "1/s", 5, [&] { return pingpong(system, 500'000); });
    measure("local.big", "1/s", 5, [&] { return big(system, 120, 5000); });
    measure("local.counting", "1/s", 5, [&] { return counting(system, 1'000'000); });
    measure("local.skynet1M.ms", "ms", 3, [&] { return skynet_ms(system); });
  }
  measure_million();
}
