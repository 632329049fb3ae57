// Fifty nodes on one machine, a program each, every one connected with all others: processor time,
// memory, descriptors and threads of a node, idle and under load. Read from /proc.

#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "bench/remote.hpp"
#include "bench/remote_node.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

constexpr int node_count = 50;
constexpr int callers_each = 2;
constexpr Duration caller_pause = 20ms;
constexpr Duration watched = 5s;

std::string name_of(int index) { return "n" + std::to_string(index); }

/// One program: joins, says "ready", and at "load" begins to call the others, until killed.
[[noreturn]] void serve(int index, int in, int out) {
  const std::string name = name_of(index);
  RemoteNode node(name, {}, {});
  if (!GenServer::start_link<Counter>({.name = local("counter")})) ::_exit(1);
  write_line(out, node.links->address());
  std::vector<MemberAddress> members;
  for (int i = 0; i < node_count; ++i) members.push_back({name_of(i), read_line(in), "", {}});
  node.links->set_members(std::move(members));
  while (node.links->peers().size() < node_count - 1) sleep(10ms);
  write_line(out, "ready");
  read_line(in);  // load
  std::atomic<std::uint64_t> calls{0};
  for (int c = 0; c < callers_each; ++c) {
    spawn([&node, &calls, index] {
      for (;;) {
        const auto other = node.random.below(node_count - 1);
        const int peer =
            static_cast<int>(other) < index ? static_cast<int>(other) : static_cast<int>(other) + 1;
        if (call(at("counter", name_of(peer)), Counter::Increment{})) ++calls;
        sleep(caller_pause);
      }
    });
  }
  read_line(in);  // how many?
  write_line(out, std::to_string(calls.load()));
  receive([](const Down&) {});  // never
  ::_exit(0);
}

struct Program {
  pid_t pid = 0;
  int in = -1, out = -1;
};

/// What the kernel says of a program.
struct Cost {
  double cpu_s = 0, resident_mib = 0, descriptors = 0, threads = 0;
};
Cost cost_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  Cost cost;
  std::ifstream stat(folder + "/stat");
  std::string word;
  for (int field = 1; stat >> word && field <= 24; ++field) {
    if (field == 14 || field == 15) {
      cost.cpu_s += std::stod(word) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    if (field == 20) cost.threads = std::stod(word);
    if (field == 24) {
      cost.resident_mib =
          std::stod(word) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
    }
  }
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder + "/fd")) {
    ++cost.descriptors;
  }
  return cost;
}

std::vector<Cost> costs_of(const std::vector<Program>& programs) {
  std::vector<Cost> costs;
  for (const Program& program : programs) costs.push_back(cost_of(program.pid));
  return costs;
}

/// Milliseconds of processor time a second, of each.
std::vector<double> watch(const std::vector<Program>& programs, const Clock& clock) {
  const std::vector<Cost> before = costs_of(programs);
  const Time start = clock.now();
  std::this_thread::sleep_for(watched);
  const std::vector<Cost> costs = costs_of(programs);
  const double elapsed = seconds(clock.now() - start);
  std::vector<double> rates;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    rates.push_back((costs[i].cpu_s - before[i].cpu_s) * 1e3 / elapsed);
  }
  return rates;
}

}  // namespace

void measure_mesh(Figures& figures) {
  std::vector<Program> programs;
  for (int i = 0; i < node_count; ++i) {
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) std::abort();
    const pid_t pid = fork_child();
    if (pid == 0) serve(i, to[0], from[1]);
    programs.push_back({pid, from[0], to[1]});
    ::close(to[0]);
    ::close(from[1]);
  }
  const SystemClock clock;
  std::vector<std::string> addresses;
  for (const Program& program : programs) addresses.push_back(read_line(program.in));
  const Time start = clock.now();
  for (const Program& program : programs) {
    for (const std::string& address : addresses) write_line(program.out, address);
  }
  for (const Program& program : programs) read_line(program.in);
  figures.report("mesh50.connected", "s", {seconds(clock.now() - start)});
  std::this_thread::sleep_for(2s);
  figures.report("mesh50.idle.cpu", "ms/s", watch(programs, clock));
  std::vector<double> memory, descriptors, threads;
  for (const Cost& cost : costs_of(programs)) {
    memory.push_back(cost.resident_mib);
    descriptors.push_back(cost.descriptors);
    threads.push_back(cost.threads);
  }
  figures.report("mesh50.resident", "MiB", memory);
  figures.report("mesh50.descriptors", "1", descriptors);
  figures.report("mesh50.threads", "1", threads);
  for (const Program& program : programs) write_line(program.out, "load");
  const Time loaded = clock.now();
  const std::vector<double> rates = watch(programs, clock);
  figures.report("mesh50.load.cpu", "ms/s", rates);
  double calls = 0;
  for (const Program& program : programs) write_line(program.out, "how many?");
  for (const Program& program : programs) calls += std::stod(read_line(program.in));
  const double elapsed = seconds(clock.now() - loaded);
  figures.report("mesh50.load.calls", "1/s", {calls / elapsed});
  const double all = std::accumulate(rates.begin(), rates.end(), 0.0);
  figures.report("mesh50.load.cpu_per_call", "us", {all * 1e3 / (calls / elapsed)});
  for (const Program& program : programs) {
    ::kill(program.pid, SIGKILL);
    ::waitpid(program.pid, nullptr, 0);
  }
}

}  // namespace coterie::bench
