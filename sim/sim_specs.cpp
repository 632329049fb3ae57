#include "sim/sim_specs.hpp"

#include <algorithm>
#include <utility>

#include "process/duration_text.hpp"
#include "process/process.hpp"
#include "supervision/spec_row.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration look_every = 20ms;
constexpr std::size_t looked_at_together =
    20;  // nodes; more are looked at as many times less often
constexpr std::string_view specs = "spec/";

bool works(SimRun* run) {
  return run != nullptr && run->parts() != nullptr && run->parts()->runtime() != nullptr &&
         run->parts()->agreement() != nullptr;
}

}  // namespace

void SimSpecs::faults_over() {
  looks_ = true;
  calm_since_ = cluster_.world().now();
}

void SimSpecs::look() {
  const Time now = cluster_.world().now();
  if (!looks_ || now < next_look_) return;
  const std::size_t nodes = cluster_.config().nodes.size();
  next_look_ =
      after(now, look_every * std::max<std::int64_t>(
                                  1, static_cast<std::int64_t>(nodes / looked_at_together)));
  if (!calm()) calm_since_ = now;
  std::map<std::string, Time> missing;
  for (const auto& [name, count] : counts()) {
    if (count == 1) continue;
    const auto known = missing_.find(name);
    const Time since = known == missing_.end() ? now : known->second;
    const Time from = std::max(since, calm_since_);
    longest_ = std::max(longest_, now - from);
    if (now - from >= within_) {
      cluster_.violation("I9 " + name + " runs " + std::to_string(count) + " times, " +
                         format_duration(within_) + " after all was calm");
      looks_ = false;  // one says it
    }
    missing[name] = since;
  }
  missing_ = std::move(missing);
  looked_ = true;
}

/// How many processes have the name of each spec that shall run and can.
std::map<std::string, std::uint64_t> SimSpecs::counts() const {
  std::map<std::string, std::uint64_t> counts;
  const auto records = cluster_.store().memory.names.scan(specs);
  for (const Record& record : records ? *records : std::vector<Record>()) {
    const auto row = detail::unpack_row(record.value);
    if (row && row->state == detail::SpecState::wanted) counts[record.key.substr(specs.size())];
  }
  std::set<std::string, std::less<>> hosted;
  for (const NodeSection& node : cluster_.config().nodes) {
    SimRun* const run = cluster_.host(node.name).run();
    if (!works(run) || !run->parts()->runtime()->gate_open()) continue;
    hosted.insert(node.kinds.begin(), node.kinds.end());
    detail::Runtime& runtime = *run->parts()->runtime();
    for (const Pid& pid : runtime.list()) {
      const detail::Process* const process = runtime.find(pid);
      if (process == nullptr || !process->strict()) continue;
      const auto found = counts.find(std::string(process->strict_name()));
      if (found != counts.end()) ++found->second;
    }
  }
  std::erase_if(counts, [&](const auto& one) {
    return one.second == 0 && !hosted.contains(one.first.substr(0, one.first.find('/')));
  });
  return counts;
}

bool SimSpecs::calm() {
  std::map<std::string, std::uint64_t> runs;
  bool still = cluster_.store().late_until <= cluster_.world().now();
  for (const NodeSection& node : cluster_.config().nodes) {
    SimRun* const run = cluster_.host(node.name).run();
    if (run == nullptr) continue;
    runs[node.name] = run->number();
    still = still && works(run) && !run->frozen() && !run->executor().stalled();
  }
  if (std::exchange(runs_, std::move(runs)) != runs_) return false;
  const std::uint64_t lost = unanswered_ ? unanswered_() : 0;
  if (std::exchange(looks_lost_, lost) != lost) return false;
  return still && connected() && !cluster_.links().troubled();
}

/// Those that run are a majority, and have sessions with each other.
bool SimSpecs::connected() const {
  const ClusterConfig& config = cluster_.config();
  const bool by_voters = config.cluster.agreement == AgreementEngine::voters;
  const auto up = [&](const std::string& name) { return runs_.contains(name); };
  const std::vector<std::string>& voters = config.cluster.voters;
  const std::size_t decide = by_voters ? voters.size() : config.nodes.size();
  const std::size_t there =
      by_voters ? static_cast<std::size_t>(std::ranges::count_if(voters, up)) : runs_.size();
  if (2 * there <= decide) return false;
  for (const auto& [name, number] : runs_) {
    const Distribution* const links = cluster_.host(name).run()->parts()->runtime()->distribution();
    if (links == nullptr) return false;
    for (const auto& [other, other_number] : runs_) {
      if (other == name) continue;
      if (links->connected(other) != cluster_.host(other).run()->incarnation().id) return false;
    }
  }
  return true;
}

}  // namespace coterie::sim
