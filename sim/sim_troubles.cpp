#include "sim/sim_troubles.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr int sigkill = 9;

struct At {
  SimCluster& cluster;
  const std::string& a;
  const std::string& b;
  SimHost& host() const { return cluster.host(a); }
  DiskTrouble& disk() const { return host().disk(); }
};

struct Trouble {
  TroubleKind kind;
  std::function<void(const At&)> begin;
  std::function<void(const At&)> end;
};

template <class Change>
void for_each_host(const At& at, Change change) {
  for (const NodeSection& node : at.cluster.config().nodes) change(at.cluster.host(node.name));
}

void cut_direction(const At& at, bool from, bool cut) {
  for (const NodeSection& node : at.cluster.config().nodes) {
    if (node.name == at.a) continue;
    at.cluster.links().cut(from ? at.a : node.name, from ? node.name : at.a, cut);
  }
}

void executor_of(const At& at, const std::function<void(SimExecutor&)>& change) {
  if (SimRun* run = at.host().run()) change(run->executor());
}

/// Now running, now not, in slices that are short for a lease and long for a commit.
void stutter(SimCluster& cluster, const std::string& node, std::uint64_t run, Time end) {
  SimRun* const now = cluster.host(node).run();
  if (now == nullptr || now->number() != run) return;
  SimWorld& world = cluster.world();
  const bool stops = world.now() < end && !now->executor().stalled();
  now->executor().stall(stops);
  if (world.now() >= end) return;
  const Duration slice = 10ms + std::chrono::milliseconds(world.random().below(240));
  world.post_at(after(world.now(), slice),
                [&cluster, node, run, end] { stutter(cluster, node, run, end); });
}

/// A session after another, each lost when it has hardly begun.
void lose_sessions(SimCluster& cluster, const std::string& a, const std::string& b, Time end) {
  SimWorld& world = cluster.world();
  if (world.now() >= end) return;
  cluster.links().lose(a, b);
  const Duration wait = 50ms + std::chrono::milliseconds(world.random().below(400));
  world.post_at(after(world.now(), wait),
                [&cluster, a, b, end] { lose_sessions(cluster, a, b, end); });
}

std::function<void()> death_of(const At& at, std::function<void()> DiskTrouble::*when) {
  SimHost* const host = &at.host();
  return [host, when] {
    host->disk().*when = nullptr;
    host->end_program(sigkill);
  };
}

SimLinks::Notes usual_notes() { return {}; }

const std::vector<Trouble>& troubles() {
  static const std::vector<Trouble> table = {
      {{"store away"},
       [](const At& at) { at.disk().away = true; },
       [](const At& at) { at.disk().away = false; }},
      {{"store away for all", TroubleOf::cluster},
       [](const At& at) { for_each_host(at, [](SimHost& host) { host.disk().away = true; }); },
       [](const At& at) { for_each_host(at, [](SimHost& host) { host.disk().away = false; }); }},
      {{"statements refused"},
       [](const At& at) { at.disk().refused = 0.4; },
       [](const At& at) { at.disk().refused = 0; }},
      {{"statements late", TroubleOf::node, true},
       [](const At& at) {
         at.disk().late = 0.3;
         at.disk().late_max = 5s;
       },
       [](const At& at) { at.disk().late = 0; }},
      {{"dies before a write", TroubleOf::node, true},
       [](const At& at) { at.disk().before_write = death_of(at, &DiskTrouble::before_write); },
       [](const At& at) { at.disk().before_write = nullptr; }},
      {{"dies after a write", TroubleOf::node, true},
       [](const At& at) { at.disk().after_write = death_of(at, &DiskTrouble::after_write); },
       [](const At& at) { at.disk().after_write = nullptr; }},
      {{"dies in a vote", TroubleOf::node, true},
       [](const At& at) { at.disk().in_sync = death_of(at, &DiskTrouble::in_sync); },
       [](const At& at) { at.disk().in_sync = nullptr; }},
      {{"votes sync slowly"},
       [](const At& at) { at.disk().sync_latency = 300ms; },
       [](const At& at) { at.disk().sync_latency = {}; }},
      // A voter whose file does not sync votes no more until its program starts again.
      {{"votes do not sync", TroubleOf::node, true},
       [](const At& at) { at.disk().sync_fails = 0.5; },
       [](const At& at) {
         at.disk().sync_fails = 0;
         at.host().end_program(sigkill);
       }},
      {{"deaf"},
       [](const At& at) { cut_direction(at, false, true); },
       [](const At& at) { cut_direction(at, false, false); }},
      {{"mute"},
       [](const At& at) { cut_direction(at, true, true); },
       [](const At& at) { cut_direction(at, true, false); }},
      // The storage is still there.
      {{"links cut"},
       [](const At& at) {
         cut_direction(at, true, true);
         cut_direction(at, false, true);
       },
       [](const At& at) {
         cut_direction(at, true, false);
         cut_direction(at, false, false);
       }},
      {{"stutters"},
       [](const At& at) {
         if (SimRun* run = at.host().run()) {
           stutter(at.cluster, at.a, run->number(), after(at.cluster.world().now(), 4s));
         }
       },
       [](const At& at) { executor_of(at, [](SimExecutor& e) { e.stall(false); }); }},
      {{"threads begin late"},
       [](const At& at) { executor_of(at, [](SimExecutor& e) { e.blocking_time_max = 250ms; }); },
       [](const At& at) { executor_of(at, [](SimExecutor& e) { e.blocking_time_max = 2ms; }); }},
      {{"link cut", TroubleOf::link},
       [](const At& at) {
         at.cluster.links().cut(at.a, at.b, true);
         at.cluster.links().cut(at.b, at.a, true);
       },
       [](const At& at) {
         at.cluster.links().cut(at.a, at.b, false);
         at.cluster.links().cut(at.b, at.a, false);
       }},
      {{"sessions lost", TroubleOf::link},
       [](const At& at) {
         lose_sessions(at.cluster, at.a, at.b, after(at.cluster.world().now(), 3s));
       },
       [](const At&) {}},
      // Nobody is told; new connections do carry.
      {{"connections wedge", TroubleOf::link},
       [](const At& at) { at.cluster.links().wedge(at.a, at.b); },
       [](const At&) {}},
      {{"dials fail"},
       [](const At& at) { at.cluster.links().refuse_dials(at.a, true); },
       [](const At& at) { at.cluster.links().refuse_dials(at.a, false); }},
      {{"notes lost", TroubleOf::cluster},
       [](const At& at) { at.cluster.links().notes.lost = 0.5; },
       [](const At& at) { at.cluster.links().notes.lost = usual_notes().lost; }},
      {{"notes doubled", TroubleOf::cluster},
       [](const At& at) { at.cluster.links().notes.doubled = 0.5; },
       [](const At& at) { at.cluster.links().notes.doubled = usual_notes().doubled; }},
      {{"notes late", TroubleOf::cluster},
       [](const At& at) {
         at.cluster.links().notes.late = 0.2;
         at.cluster.links().notes.late_max = 5s;
       },
       [](const At& at) { at.cluster.links().notes.late = 0; }},
  };
  return table;
}

const Trouble* find(std::string_view word) {
  const auto found =
      std::ranges::find(troubles(), word, [](const Trouble& one) { return one.kind.word; });
  return found == troubles().end() ? nullptr : &*found;
}

}  // namespace

std::span<const TroubleKind> trouble_kinds() {
  static const std::vector<TroubleKind> kinds = [] {
    std::vector<TroubleKind> list;
    for (const Trouble& trouble : troubles()) list.push_back(trouble.kind);
    return list;
  }();
  return kinds;
}

bool begin_trouble(SimCluster& cluster, std::string_view word, const std::string& a,
                   const std::string& b) {
  const Trouble* const trouble = find(word);
  if (trouble == nullptr) return false;
  trouble->begin({cluster, a, b});
  return true;
}

void end_trouble(SimCluster& cluster, std::string_view word, const std::string& a,
                 const std::string& b) {
  if (const Trouble* const trouble = find(word)) trouble->end({cluster, a, b});
}

}  // namespace coterie::sim
