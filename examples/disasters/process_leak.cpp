// Disaster: process leak. A thousand counters are started and forgotten when their starter crashes.
//
// The idea: a process that nobody is tied to lives on, for nobody. OTP's rule: a link ties two
// processes, and an abnormal end travels along it, so linked counters end with their starter. That
// cures the leak but not the loss: only a supervisor starts a crashed one again, and when the
// supervisor ends it takes all of them along.

#include <iostream>
#include <vector>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/node.hpp>

using namespace coterie;

constexpr int many = 1'000;

struct Increment {};
struct Started {
  std::vector<Pid> counters;
};

/// A bare process starts them and crashes; `starter` hears which they were.
void start_and_crash(bool link, Pid starter) {
  std::vector<Pid> counters;
  for (int i = 0; i < many; ++i) {
    counters.push_back(spawn(
        [count = 0]() mutable {
          for (;;) receive([&](const Increment&) { ++count; });
        },
        {.link = link}));
  }
  send(starter, Started{std::move(counters)});
  throw std::runtime_error("a bug");
}

/// The counter as a server: tells `watcher` each time that it comes up.
class Counter final : public GenServer {
 public:
  struct Up {
    Pid pid;
  };
  explicit Counter(Pid watcher) { send(watcher, Up{coterie::self()}); }
};

void wait_for(Ref end) {
  receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
}

int main() {
  Node node;
  auto self = node.attach();
  const std::size_t before = list().size();
  const auto print = [&](std::string_view what) {
    std::cout << what << ": " << list().size() - before << " processes\n";
  };
  const auto leak = [](bool link) {
    const auto starter = spawn_monitor([=, me = coterie::self()] { start_and_crash(link, me); });
    auto counters = receive([](Started started) { return std::move(started.counters); });
    std::vector<Ref> ends;
    if (link) {
      for (const Pid& each : counters) ends.push_back(monitor(each));
    }
    wait_for(starter.second);
    for (const Ref end : ends) wait_for(end);
    return counters;
  };

  const auto orphans = leak(false);
  print("not linked, after their starter's crash");
  for (const Pid& each : orphans) {
    const Ref end = monitor(each);
    exit(each, ExitReason::kill());
    wait_for(end);
  }

  leak(true);
  print("linked, after their starter's crash");

  const Pid supervisor = DynamicSupervisor::start_link().value();
  std::vector<Pid> counters;
  for (int i = 0; i < many; ++i) {
    DynamicSupervisor::start_child(supervisor, child<Counter>("", {}, coterie::self())).value();
    counters.push_back(receive([](const Counter::Up& up) { return up.pid; }));
  }
  exit(counters.front(), ExitReason::term("a_bug"));
  receive([](const Counter::Up&) {});  // started again
  std::cout << "supervised, after one crashed: "
            << DynamicSupervisor::count_children(supervisor).value().active << " counters\n";
  GenServer::stop(supervisor, ExitReason::shutdown(), infinity).value();
  print("after their supervisor's end");
}
