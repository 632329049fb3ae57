// cluster.*: nodes are killed, or lose their power, while somebody asks one name again and again;
// and a node dies that had its share of many names.

#include "bench/cluster.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>

#include "bench/nodes/names.hpp"
#include "examples/contracts/contracts.hpp"
#include "node/local_cluster.hpp"
#include "node/operation_feed.hpp"
#include "node/run_directory.hpp"
#include "node/workload_caller.hpp"
#include "node/workload_driver.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

constexpr Duration start_wait = 60s;
constexpr Duration try_for = 20ms;
constexpr int kills = 5;
constexpr int runs_of_names = 3;
constexpr std::size_t starting_at_once = 256;

double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

void pause(Duration duration) {
  ::poll(nullptr, 0,
         static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count()));
}

template <class T>
T got(std::expected<T, std::string> result) {
  if (!result) throw std::runtime_error(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

std::unique_ptr<Client> client_of(const LocalCluster& cluster, const std::string& node,
                                  const Clock& clock, Random& random) {
  ClientOptions options;
  options.addresses = {cluster.config().find(node)->client_advertise};
  options.cluster_id = cluster.config().cluster.id;
  options.label = "bench";
  options.connect_timeout = start_wait;
  return got(Client::connect(std::move(options), clock, random));
}

/// Nodes with contracts, and their clients.
class Nodes {
 public:
  explicit Nodes(const ClusterBench& options) {
    LocalClusterOptions local;
    local.config_file = options.config;
    local.directory = directory_.path();
    local.program = options.program;
    for (const char* node : {"a", "b", "c"}) {
      local.overrides.push_back({"node." + std::string(node) + ".respawn", false, {"bench", 0, 0}});
    }
    if (!options.journal.empty()) {
      local.overrides.push_back({"cluster.journal", options.journal, {"bench", 0, 0}});
    }
    cluster_ = got(LocalCluster::make(clock_, random_, std::move(local)));
    for (const std::string& node : all) got(cluster_->start(node));
    got(cluster_->wait_active(all, start_wait));
    caller_ = got(ClusterCaller::connect(cluster_->config(), all, clock_, random_));
    source_ = workload().source(1, {});
  }

  const Workload& workload() const { return *application_.workloads.front(); }
  LocalCluster& cluster() { return *cluster_; }
  const Clock& clock() const { return clock_; }

  /// Starts so many names; how long that took.
  Duration start_names(std::size_t count) {
    keys_.clear();
    std::vector<WorkloadOperation> operations = starts(*source_, count);
    for (const WorkloadOperation& operation : operations) keys_.push_back(operation.key);
    RecordedFeed feed(std::move(operations));
    DriveOptions drive;
    drive.clients = starting_at_once;
    drive.give_up_after = start_wait;
    const Time begin = clock_.now();
    WorkloadDriver driver(workload(), feed, *caller_, clock_, executor_, drive);
    driver.start();
    const auto records = driver.wait();
    const Duration took = clock_.now() - begin;
    for (const OperationRecord& record : records) {
      if (record.outcome != OperationOutcome::acknowledged) {
        throw std::runtime_error(record.operation.key + ": " + record.error);
      }
    }
    return took;
  }

  std::string owner_of(const std::string& key) {
    const Time end = after(clock_.now(), start_wait);
    while (clock_.now() < end) {
      for (const std::string& node : all) {
        const auto names = cluster_->names(node, std::string(workload().kind()));
        if (names && std::ranges::find(*names, key) != names->end()) return node;
      }
    }
    throw std::runtime_error("nobody runs " + key);
  }

  std::uint64_t running(const std::string& node) {
    const auto status = cluster_->status(node, 5s);
    if (!status || status->state != "active") return 0;
    for (const KindStatus& kind : status->kinds) {
      if (kind.kind == workload().kind()) return kind.running;
    }
    return 0;
  }

  /// Until a read of the key is answered through `node`.
  void await_answer(Client& client, const std::string& key) {
    const Time end = after(clock_.now(), start_wait);
    while (clock_.now() < end) {
      WorkloadCall read = workload().call(workload().last_read(key));
      if (client.call(request_of(std::move(read), {}, try_for))) return;
    }
    throw std::runtime_error(key + " does not answer again");
  }

  /// From the death of the name's owner to its answer through another node.
  Duration fail_over(const std::string& key, bool power_off) {
    const std::string owner = owner_of(key);
    const std::string other = owner == all.front() ? all.back() : all.front();
    const auto client = client_of(*cluster_, other, clock_, random_);
    await_answer(*client, key);
    const Time begin = clock_.now();
    got(power_off ? cluster_->power_off(owner) : cluster_->kill(owner));
    await_answer(*client, key);
    const Duration took = clock_.now() - begin;
    got(cluster_->wait_stopped(owner, start_wait));
    got(cluster_->start(owner));
    got(cluster_->wait_active(all, start_wait));
    return took;
  }

  /// Seconds of processor time that the node's program has taken.
  double processor_seconds(const std::string& node) {
    const auto pid = cluster_->program(node);
    if (!pid) return 0;
    std::ifstream file("/proc/" + std::to_string(*pid) + "/stat");
    std::string field;
    double ticks = 0;
    // The name, the second field, is "(coterie)"; user and system time are the 14th and 15th.
    for (int i = 1; i <= 15 && file >> field; ++i) ticks += i >= 14 ? std::stod(field) : 0;
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

  /// Resident bytes of the nodes' programs.
  double resident_bytes() {
    double sum = 0;
    for (const std::string& node : all) {
      const auto pid = cluster_->program(node);
      if (!pid) continue;
      std::ifstream status("/proc/" + std::to_string(*pid) + "/status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) sum += 1024 * std::stod(line.substr(6));
      }
    }
    return sum;
  }

  const std::vector<std::string> all{"a", "b", "c"};
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  const Application application_ = contracts::application();
  SystemClock clock_;
  SystemRandom random_;
  ThreadExecutor executor_{clock_};
  RunDirectory directory_ = got(RunDirectory::make("", "bench"));
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<ClusterCaller> caller_;
  std::unique_ptr<Workload::Source> source_;
  std::vector<std::string> keys_;
};

void measure_failover(Figures& figures, const ClusterBench& options) {
  if (!figures.wanted("cluster.kill9") && !figures.wanted("cluster.power_off")) return;
  Nodes nodes(options);
  nodes.start_names(1);
  const std::string key = nodes.keys().front();
  std::vector<double> killed, off;
  for (int i = 0; i < kills; ++i) killed.push_back(ms(nodes.fail_over(key, false)));
  const double lease = ms(nodes.cluster().config().lease.length);
  for (int i = 0; i < kills; ++i) off.push_back(ms(nodes.fail_over(key, true)) - lease);
  figures.report("cluster.kill9_to_answer.ms", "ms", killed);
  figures.report("cluster.power_off_to_answer.over_lease.ms", "ms", off);
}

/// Rate, memory, and the time until all names of a dead node run again.
void measure_names(Figures& figures, const ClusterBench& options) {
  if (!figures.wanted("cluster.names")) return;
  Nodes nodes(options);
  const double before = nodes.resident_bytes();
  const Duration took = nodes.start_names(options.names);
  const auto names = static_cast<double>(options.names);
  figures.report("cluster.names.start", "per_s",
                 {names / std::chrono::duration<double>(took).count()});
  figures.report("cluster.names.bytes", "B", {(nodes.resident_bytes() - before) / names});
  std::vector<std::pair<std::uint64_t, std::string>> counts;
  for (const std::string& node : nodes.all) counts.emplace_back(nodes.running(node), node);
  const auto [most, victim] = std::ranges::max(counts);
  const auto survivors_seconds = [&nodes, &victim = victim] {
    double sum = 0;
    for (const std::string& node : nodes.all) {
      sum += node == victim ? 0 : nodes.processor_seconds(node);
    }
    return sum;
  };
  const double seconds_before = survivors_seconds();
  const Time begin = nodes.clock().now();
  got(nodes.cluster().kill(victim));
  for (;;) {
    const Time asked = nodes.clock().now();
    std::uint64_t running = 0;
    for (const std::string& node : nodes.all) running += node == victim ? 0 : nodes.running(node);
    if (running >= options.names) break;
    if (nodes.clock().now() > after(begin, 10min)) {
      throw std::runtime_error("only " + std::to_string(running) + " names run again");
    }
    // A node counts its processes to answer: that must not be what is measured.
    pause(std::max<Duration>(5ms, 20 * (nodes.clock().now() - asked)));
  }
  const Duration back = nodes.clock().now() - begin;
  const auto moved = static_cast<double>(most);
  figures.report("cluster.names.kill9_to_all_running.ms", "ms", {ms(back)});
  figures.report("cluster.names.back", "per_s",
                 {moved / std::chrono::duration<double>(back).count()});
  figures.report("cluster.names.back.cpu", "us",
                 {(survivors_seconds() - seconds_before) * 1e6 / moved});
  std::printf("  of %zu names, %llu lived on the node that was killed\n", options.names,
              static_cast<unsigned long long>(most));
}

/// What one node can do with names while the others keep their part of them.
void measure_registrations(Figures& figures, const ClusterBench& options) {
  if (!figures.wanted("cluster.register") && !figures.wanted("cluster.lookup")) return;
  const SystemClock clock;
  SystemRandom random;
  const RunDirectory directory = got(RunDirectory::make("", "bench"));
  LocalClusterOptions local;
  local.config_file = options.config;
  local.directory = directory.path();
  local.program = options.names_program;
  const std::vector<std::string> all{"a", "b", "c"};
  for (const std::string& node : all) {
    local.overrides.push_back(
        {"node." + node + ".kinds", std::vector<std::string>(), {"bench", 0, 0}});
  }
  auto cluster = got(LocalCluster::make(clock, random, std::move(local)));
  for (const std::string& node : all) got(cluster->start(node));
  got(cluster->wait_active(all, start_wait));
  const auto client = client_of(*cluster, all.front(), clock, random);
  const auto ask = [&](const auto& request) {
    using Request = std::decay_t<decltype(request)>;
    const auto answer = client->call(
        request_of({LocalName{names::server}, std::string(Request::type_name), pack(request)}, {},
                   start_wait));
    if (!answer) throw std::runtime_error(to_string(answer.error()));
    return unpack<double>(*answer).value();
  };
  std::vector<double> latency, rate, lookups;
  for (int i = 0; i < runs_of_names; ++i) {
    latency.push_back(ask(names::Latency{1'000}));
    rate.push_back(ask(names::Rate{51'200, 256}));
    lookups.push_back(ask(names::Lookups{4'000'000, 2}));
  }
  figures.report("cluster.register.p50", "us", latency);
  figures.report("cluster.register", "per_s", rate);
  figures.report("cluster.lookup.cached", "per_s", lookups);
}

}  // namespace

void measure_cluster(Figures& figures, const ClusterBench& options) {
  try {
    measure_failover(figures, options);
    measure_names(figures, options);
    measure_registrations(figures, options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "coterie_bench: %s\n", error.what());
  }
  for (const char* peer : {"Erlang", "Akka", "Orleans"}) {
    figures.not_measured("cluster.kill9_to_answer.ms", peer);
  }
}

}  // namespace coterie::bench
