#pragma once
// A scenario as its file says it: a cluster, workloads, faults over time, expectations, a verdict.
// Plain values, made by read_scenario (scenario_reader.hpp), turned into planned faults by
// timeline (timeline.hpp). scenarios.md fixes the words; every value remembers its place so that
// later checks (against the cluster's nodes, against what is built) can point at it too.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <coterie/time.hpp>

namespace coterie::sim {

/// Counted from 1. 0: not from a file.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

struct Placed {
  std::string text;
  Place place;
};

enum class Engine : std::uint8_t { sim, real };

/// Both ends included; equal for a duration that is not a range.
struct Range {
  Duration least{};
  Duration most{};
  friend bool operator==(const Range&, const Range&) = default;
};

/// Which node: by name, drawn, or found when its moment has come.
struct NodeSelector {
  enum class Kind : std::uint8_t {
    name,        // `text` is the node's name
    any,         // "*": drawn by the seed
    voter,       // a node that votes
    owner,       // "owner:KIND/ID": the one that runs the name in `text`
    primary,     // "primary:KIND/ID": the one whose partition holds the name in `text`
    most_names,  // the one that runs the most names
  };
  Kind kind = Kind::name;
  std::string text;
  Place place;
  /// Places are not compared.
  friend bool operator==(const NodeSelector& a, const NodeSelector& b) {
    return a.kind == b.kind && a.text == b.text;
  }
};

enum class FaultKind : std::uint8_t {
  kill,
  power_off,
  stop,
  restart,
  replace,
  pause,
  resume,
  partition,
  heal,
  one_way,
  reset,
  delay,
  throttle,
  blackhole_large,
  slow_disk,
  full_disk,
  failing_fsync,
  crash_name,
  poison,
  slow_node,
  clock_rate,
  clock_jump,
  clock_stop,
  trouble,  // drawn only, never of a file: sim/sim_troubles.hpp; Action::name says which
};

/// What a fault does. Only the fields of its kind are set (scenarios.md's table).
struct Action {
  FaultKind kind = FaultKind::kill;
  std::optional<NodeSelector> node;
  std::optional<Range> restart_after;
  std::optional<Range> lasts;  // `for`
  std::vector<std::vector<Placed>> groups;
  std::optional<NodeSelector> from;
  std::optional<NodeSelector> to;
  std::vector<NodeSelector> link;  // two or none
  std::optional<std::int64_t> times;
  std::optional<Duration> over;
  std::optional<Duration> latency;
  std::optional<Duration> jitter;
  std::optional<std::int64_t> bytes_per_second;  // `rate`
  std::optional<std::int64_t> bytes;
  std::string name;  // KIND/ID
  std::string reason;
  std::optional<double> factor;
  std::optional<Duration> by;  // may be negative
  Place place;                 // of the word after `do`
};

struct FaultAt {
  Duration at{};
  Action action;
};

/// At after, after + every, ... while before until.
struct FaultEvery {
  Range every;
  Duration after{};
  std::optional<Duration> until;  // default: the scenario's duration
  std::optional<unsigned> max_down;
  std::vector<Action> pick;
};

struct Fault {
  std::variant<FaultAt, FaultEvery> when;
  Place place;
};

enum class NodeState : std::uint8_t { joining, active, frozen, excluded, down };

struct ExpectState {
  Placed node;
  NodeState state = NodeState::active;
};

/// `count` names of `kind` run, each exactly once, on these nodes and on no other.
struct ExpectRunning {
  std::string kind;
  std::int64_t count = 0;
  std::vector<Placed> on;  // empty: wherever
};

struct Expectation {
  Duration at{};
  std::variant<ExpectState, ExpectRunning> what;
  Place place;
};

struct Override {
  std::string key;         // dotted: "lease.length"
  std::string value_toml;  // as TOML writes it: "\"2s\"", "true", "7"
  Place place;
};

struct ClusterChoice {
  Placed config;              // relative to the scenario's file
  std::vector<Placed> nodes;  // empty: all of them
  std::vector<Override> overrides;
  /// Of its nodes, those that vote on the view, as the cluster's file says. Empty: all take part.
  std::vector<std::string> voters{};
};

struct WorkloadChoice {
  Placed kind;
  std::int64_t keys = 0;  // 0 with a file
  std::int64_t clients = 1;
  std::int64_t rate = 0;   // commands per second altogether; 0: as fast as they go
  std::vector<Placed> on;  // empty: all
  std::vector<std::pair<std::string, std::int64_t>> ops;  // word and weight, in the file's order
  std::optional<Placed> file;                             // relative to the scenario's file
  Place place;
};

struct DowntimeBound {
  std::optional<Duration> p50;
  std::optional<Duration> p99;
  std::optional<Duration> max;
};

/// What the verdict judges; the defaults are all on.
struct VerdictChoice {
  std::vector<std::string> promises{"P1", "P2", "P3", "P4", "P5", "P6"};
  bool linearizable = true;
  std::int64_t lost = 0;     // at most so many
  std::int64_t doubled = 0;  // at most so many
  DowntimeBound downtime;    // reported always, judged where named
  double unknown_max = 0.01;
  std::string reason;  // why something was dropped or loosened
};

struct Scenario {
  std::string file;
  std::string name;
  Duration duration{};
  std::vector<Engine> engines{Engine::sim, Engine::real};
  std::uint64_t seed = 1;
  ClusterChoice cluster;
  std::vector<WorkloadChoice> workloads;
  std::vector<Fault> faults;
  std::vector<Expectation> expectations;
  VerdictChoice verdict;
};

std::string_view to_string(Engine engine) noexcept;
std::string_view to_string(FaultKind kind) noexcept;
std::string_view to_string(NodeState state) noexcept;
/// As the file writes it.
std::string to_string(const NodeSelector& selector);

}  // namespace coterie::sim
