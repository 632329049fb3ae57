#include "sim/failover_run.hpp"

#include <algorithm>

#include "node/exit_codes.hpp"
#include "process/duration_text.hpp"
#include "registry/placement.hpp"
#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration tick_length = 5ms;
constexpr Duration status_interval = 100ms;
constexpr std::size_t asked_together = 20;  // nodes; of more each is asked as many times less often
constexpr Duration sighting_interval = 500ms;
// Beyond the timeline, for what waits for its moment: patience of faults, drains, second looks.
constexpr Duration overtime = 60s;

std::vector<std::string> kinds_of(const Scenario& scenario) {
  std::set<std::string> kinds;
  for (const WorkloadChoice& workload : scenario.workloads) kinds.insert(workload.kind.text);
  for (const Expectation& expectation : scenario.expectations) {
    if (const auto* running = std::get_if<ExpectRunning>(&expectation.what)) {
      kinds.insert(running->kind);
    }
  }
  for_each_action(scenario, [&](const Action& action) {
    if (!action.node || action.node->kind != NodeSelector::Kind::owner) return;
    kinds.insert(action.node->text.substr(0, action.node->text.find('/')));
  });
  return {kinds.begin(), kinds.end()};
}

/// The best home by rendezvous: where the name's partition of the directory is, and where it is
/// started when nothing speaks against it.
std::optional<std::string> primary_of(const ClusterConfig& config, const std::string& name,
                                      std::span<const std::string> members) {
  View view;
  for (const std::string& node : members) {
    const NodeSection& section = *config.find(node);
    Member member;
    member.name = node;
    member.kinds = section.kinds;
    member.weight = section.weight;
    view.members.emplace(node, std::move(member));
  }
  const std::size_t slash = name.find('/');
  const Member* best = home(view, name.substr(0, slash), name.substr(slash + 1));
  return best != nullptr ? std::optional(best->name) : std::nullopt;
}

}  // namespace

FailoverRun::FailoverRun(const Clock& clock, const Scenario& scenario, TestedCluster& cluster,
                         FailoverLoad& load, std::function<bool(Duration)> wait,
                         FailoverRunOptions options)
    : clock_(clock),
      scenario_(scenario),
      cluster_(cluster),
      load_(load),
      wait_(std::move(wait)),
      options_(std::move(options)),
      end_(timeline_end(scenario)),
      director_(
          options_.faults ? *options_.faults : timeline(scenario, options_.nodes, options_.seed),
          end_,
          {.primary =
               [&cluster](const std::string& name, std::span<const std::string> members) {
                 return primary_of(cluster.config(), name, members);
               }}),
      watch_(options_.nodes, cluster.config().lease.length),
      expectations_(scenario.expectations),
      questions_(clock, cluster, kinds_of(scenario)),
      begin_(clock.now()) {}

std::expected<Verdict, FailoverRunError> FailoverRun::run() {
  if (const Step step = start(); !step) return std::unexpected(step.error());
  if (const Step step = play(); !step) return std::unexpected(step.error());
  if (const Step step = settle(); !step) return std::unexpected(step.error());
  finish();
  return judge_all();
}

FailoverRunError FailoverRun::interrupted() const {
  return {128 + 2, "interrupted at " +
                       format_duration(std::chrono::floor<std::chrono::milliseconds>(now())) +
                       " of the timeline: no verdict"};
}

void FailoverRun::collect(std::vector<Event> events) {
  events_.insert(events_.end(), std::make_move_iterator(events.begin()),
                 std::make_move_iterator(events.end()));
}

FailoverRun::Step FailoverRun::start() {
  options_.progress("starting " + std::to_string(options_.nodes.size()) + " nodes");
  for (const std::string& node : options_.nodes) {
    if (const auto started = cluster_.start(node); !started) {
      return std::unexpected(FailoverRunError{1, started.error()});
    }
  }
  if (const auto active = cluster_.wait_active(options_.nodes, options_.start_wait); !active) {
    int code = exit_code::failure;
    std::string message = "the cluster did not start: " + active.error();
    for (const std::string& node : options_.nodes) {
      const auto ended = cluster_.exit_code(node);
      if (!ended) continue;
      if (*ended == exit_code::usage) code = exit_code::usage;
      message += "\n" + cluster_.log_tail(node, 5);
    }
    return std::unexpected(FailoverRunError{code, message});
  }
  for (const std::string& node : options_.nodes) {
    if (const auto connected = questions_.connect(node, options_.start_wait); !connected) {
      return std::unexpected(FailoverRunError{1, connected.error()});
    }
  }
  options_.progress("starting the workload's names");
  if (const auto started = load_.start_names(); !started) {
    return std::unexpected(
        FailoverRunError{1, "the workload's names could not be started: " + started.error()});
  }
  return {};
}

FailoverRun::Step FailoverRun::play() {
  options_.progress("playing " + format_duration(end_) + " of timeline");
  begin_ = clock_.now();
  questions_.start_from(begin_);
  load_.begin();
  playing_ = true;
  while (now() < end_ || !director_.finished() || !expectations_.finished()) {
    if (!tick()) return std::unexpected(interrupted());
    const Duration at = now();
    expectations_.step(
        at, watch_,
        [&](const std::string& node) {
          const auto facts = std::ranges::find(facts_, node, &NodeFacts::name);
          return director_.paused_since(*facts);
        },
        sighting_ ? &*sighting_ : nullptr);
    if (!expectations_.holds(at)) {
      perform(director_.step(at, facts_, sighting_ ? &*sighting_ : nullptr));
    }
    if (at > end_ + overtime) break;
  }
  load_.end();
  clients_end_ = now();
  return {};
}

FailoverRun::Step FailoverRun::settle() {
  options_.progress("waiting until all is quiet");
  options_.faults_over();
  const Duration until = now() + options_.quiet_wait;
  // Answers of before the end of the load do not show that it is quiet now.
  const Duration from = now();
  for (;;) {
    if (!tick()) return std::unexpected(interrupted());
    const std::vector<std::string> up = expected_up();
    const bool fresh = std::ranges::all_of(
        up, [&](const std::string& node) { return watch_.answered_since(node, from); });
    whole_at_end_ = fresh && watch_.whole(up);
    if ((whole_at_end_ && options_.settled()) || now() > until) break;
  }
  options_.progress("reading every name");
  load_.read_all(clock_.now() + options_.read_wait);
  tick();
  return {};
}

void FailoverRun::finish() {
  playing_ = false;
  options_.progress("stopping the nodes");
  if (const auto stopped = cluster_.stop_all(options_.leave_wait); !stopped) {
    events_.push_back({now(), "stop", stopped.error()});
  }
  audit();
}

/// Everybody but those that the timeline left away for good.
std::vector<std::string> FailoverRun::expected_up() const {
  const std::set<std::string> away = director_.left_away();
  std::vector<std::string> up;
  std::ranges::copy_if(options_.nodes, std::back_inserter(up),
                       [&](const std::string& node) { return !away.contains(node); });
  return up;
}

bool FailoverRun::tick() {
  if (!wait_(tick_length)) return false;
  look();
  ask();
  FailoverQuestions::Answers answers = questions_.take();
  for (const auto& [node, heard] : answers.heard) watch_.heard(node, heard);
  if (answers.sighting) {
    claims_.add(*answers.sighting);
    sighting_ = std::move(answers.sighting);
  }
  collect(watch_.take_events());
  collect(director_.take_events());
  return true;
}

void FailoverRun::look() {
  facts_.clear();
  for (const std::string& name : options_.nodes) {
    NodeFacts node;
    node.name = name;
    node.guardian = cluster_.started(name);
    node.program = cluster_.program(name);
    const auto change = watch_.look(now(), node);
    node.active = watch_.active(name) && !director_.paused(node);
    if (change.kind == FailoverWatch::Change::Kind::ended) node_ended(node);
    if (change.kind == FailoverWatch::Change::Kind::began) director_.came_back(name);
    facts_.push_back(std::move(node));
  }
}

void FailoverRun::node_ended(const NodeFacts& node) {
  if (!playing_ || director_.death_is_asked_for(node.name)) return;
  if (director_.poison_took(node.name, now())) return;
  std::string text = node.name + " ended, and no fault asked for it";
  if (node.guardian) {
    text += "; its guardian decides";
  } else {
    const auto code = cluster_.exit_code(node.name);
    text += ", with exit code " + (code ? std::to_string(*code) : std::string("unknown"));
    failed_.push_back(text + " at " +
                      format_duration(std::chrono::floor<std::chrono::milliseconds>(now())));
  }
  events_.push_back({now(), "unasked", text});
}

void FailoverRun::ask() {
  const Duration at = now();
  const auto asks = [&](const NodeFacts& node) {
    return node.program.has_value() && !director_.paused(node);
  };
  if (at >= next_status_) {
    const std::size_t share = std::max<std::size_t>(1, facts_.size() / asked_together);
    next_status_ = at + static_cast<Duration::rep>(share) * status_interval;
    for (const NodeFacts& node : facts_) {
      if (asks(node)) questions_.ask_status(node.name);
    }
  }
  if (playing_) {
    for (const std::string& node : expectations_.wants_status(at)) questions_.ask_status(node);
  }
  const auto is_old = [&](const std::optional<Duration>& from) {
    return from && (!sighting_ || sighting_->asked < *from);
  };
  const bool wanted =
      is_old(expectations_.wants_sighting(at)) || is_old(director_.wants_sighting(at));
  if (!playing_ || questions_.sighting_is_open() || (!wanted && at < next_sighting_)) return;
  std::vector<std::string> nodes;
  for (const NodeFacts& node : facts_) {
    if (!asks(node)) continue;
    if (watch_.answered(node.name)) {
      nodes.push_back(node.name);
    } else if (!sighting_) {
      return;  // the first one has every node: all were up when time began
    }
  }
  questions_.ask_sighting(nodes);
  next_sighting_ = at + sighting_interval;
}

void FailoverRun::perform(const std::vector<Deed>& deeds) {
  for (const Deed& deed : deeds) {
    const auto result = cluster_.perform(deed);
    director_.done(now(), deed, result);
  }
}

/// The nodes are stopped: nobody writes any more.
void FailoverRun::audit() {
  auto storage = cluster_.open_storage();
  if (!storage) {
    journals_.unreadable = storage.error().message;
    return;
  }
  journals_ = audit_journals(*storage->streams);
}

Verdict FailoverRun::judge_all() {
  Evidence evidence;
  evidence.engine = options_.engine;
  evidence.seed = options_.seed;
  evidence.replay_command = options_.replay_command;
  evidence.end = clients_end_;
  if (const auto left = options_.clocks_left()) evidence.clocks_left = *left - begin_;
  evidence.call_timeout = load_.call_timeout();
  evidence.observations = expectations_.observations();
  evidence.faults = director_.moments();
  evidence.fault_texts = director_.texts();
  evidence.workloads = load_.evidence(begin_);
  evidence.events = std::move(events_);
  add_first_answers(evidence);
  Verdict verdict = judge(scenario_, evidence);
  judge_ownership(verdict, claims_, journals_, !evidence.clocks_left);
  judge_run(verdict, {.unplayed = director_.unplayed(),
                      .failed = failed_,
                      .audit = load_.audit(),
                      .expected_up = expected_up(),
                      .whole_at_end = whole_at_end_});
  return verdict;
}

}  // namespace coterie::sim
