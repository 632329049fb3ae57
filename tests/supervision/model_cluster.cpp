#include "tests/supervision/model_cluster.hpp"

#include <algorithm>

namespace coterie::test {

using namespace std::chrono_literals;
using detail::ClusterCore;
using detail::FoundRow;
using detail::RequestId;
using detail::RowResult;
using detail::RowWrite;
namespace act = detail::act;

namespace {

std::uint64_t mix(std::string_view a, std::string_view b) {
  std::uint64_t h = 1469598103934665603ull;
  for (const char c : a) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  for (const char c : b) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  h ^= h >> 31;
  h *= 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 29);
}

}  // namespace

std::vector<std::string> ModelPlacement::homes(const View& view, std::string_view,
                                               std::string_view key) const {
  std::vector<std::string> names;
  for (const auto& [name, member] : view.members) {
    if (!member.draining) names.push_back(name);
  }
  std::ranges::sort(names, std::greater{}, [&](const std::string& n) { return mix(n, key); });
  return names;
}

ModelCluster::ModelCluster(std::uint64_t seed, std::size_t nodes, ModelFaults faults,
                           ClusterCore::Mutations mutations)
    : random_(seed), faults_(faults), mutations_(mutations) {
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    nodes_[name].name = name;
    boot(name);
  }
  settle(100ms);
}

void ModelCluster::boot(const std::string& name) {
  Node& node = nodes_.at(name);
  node.incarnation = {++next_incarnation_, NodeId{next_incarnation_ * 1000}};
  node.up = true;
  node.draining = false;
  node.seen_view = 0;
  detail::ClusterOptions options;
  options.supervisor = options.kind = options.registry = "names";
  options.node = name;
  options.node_id = node.incarnation.id;
  options.max_restarts = 1000;
  options.rows_per_commit = 8;
  options.starts_in_flight = 4;
  options.handovers_in_flight = 4;
  options.probation = 5s;
  options.sweep = 1s;
  node.core = std::make_unique<ClusterCore>(options, placement_, random_);
  node.core->mutations() = mutations_;
  new_view();
}

void ModelCluster::new_view() {
  auto view = std::make_shared<View>(*view_);
  ++view->number;
  view->members.clear();
  for (const auto& [name, node] : nodes_) {
    if (!node.up) continue;
    Member member;
    member.name = name;
    member.incarnation = node.incarnation;
    member.draining = node.draining;
    view->members.emplace(name, std::move(member));
  }
  view_ = std::move(view);
  for (auto& [name, node] : nodes_) {
    if (!node.up) continue;
    // Each sees it at its own time, and may skip some.
    later(node, Duration(1ms) * random_.below(200), [this](Node& n) { install_view(n.name); });
  }
}

void ModelCluster::install_view(const std::string& at) {
  Node& node = nodes_.at(at);
  if (!node.up || node.seen_view >= view_->number) return;
  node.seen_view = view_->number;
  node.core->view_installed(view_, true, now_);
  perform(node);
}

void ModelCluster::crash(const std::string& name, bool leave_view) {
  Node& node = nodes_.at(name);
  node.up = false;
  std::erase_if(ghosts_, [&](const auto& g) { return g.first == node.incarnation.id; });
  std::erase_if(processes_, [&](const auto& p) { return p.second.node == node.incarnation.id; });
  if (leave_view) new_view();
}

void ModelCluster::drain(const std::string& name) {
  Node& node = nodes_.at(name);
  if (!node.up || node.draining) return;
  node.draining = true;
  new_view();
  node.core->drain(now_ + 5s, now_);
  perform(node);
}

void ModelCluster::later(Node& node, Duration delay, std::function<void(Node&)> run) {
  events_.insert({now_ + delay, ++order_, node.name, node.incarnation.id, std::move(run)});
}

void ModelCluster::perform(Node& node) {
  for (auto actions = node.core->take(); !actions.empty(); actions = node.core->take()) {
    for (auto& action : actions) act(node, std::move(action));
  }
}

RowResult ModelCluster::apply(const RowWrite& write) {
  const auto there = store_.find(write.key);
  const std::uint64_t version = there == store_.end() ? 0 : there->second.version;
  if (!write.any_version && version != write.version) {
    RowResult refused{RowResult::Outcome::refused, 0, {}};
    if (version != 0) {
      refused.found = FoundRow{write.key, version, detail::unpack_row(there->second.value).value()};
    }
    return refused;
  }
  if (!write.value) {
    store_.erase(write.key);
    return {RowResult::Outcome::committed, 0, {}};
  }
  store_[write.key] = {++version_, *write.value};
  return {RowResult::Outcome::committed, version_, {}};
}

std::vector<FoundRow> ModelCluster::read(const std::vector<std::string>& keys) const {
  std::vector<FoundRow> rows;
  for (const auto& [key, stored] : store_) {
    if (std::ranges::find(keys, key) == keys.end()) continue;
    rows.push_back({key, stored.version, detail::unpack_row(stored.value).value()});
  }
  return rows;
}

detail::FoundRows ModelCluster::read_page(const std::string& after) const {
  detail::FoundRows page;
  for (auto it = store_.upper_bound(after); it != store_.end(); ++it) {
    if (page.rows.size() == rows_per_page) {
      page.next = page.rows.back().key;
      break;
    }
    page.rows.push_back(
        {it->first, it->second.version, detail::unpack_row(it->second.value).value()});
  }
  return page;
}

void ModelCluster::act(Node& node, detail::Action&& action) {
  const Duration soon = Duration(1ms) * (1 + random_.below(20));
  const Duration slow = Duration(1ms) * (1 + random_.below(120));
  if (auto* scan = std::get_if<act::Scan>(&action)) {
    const bool complete = storage_up_ && (calm_ || !chance(faults_.storage_lost_percent));
    auto page = read_page(scan->after);  // as they are now; they arrive later
    later(node, slow, [this, complete, page = std::move(page)](Node& n) mutable {
      std::optional<detail::FoundRows> found;
      if (complete) found = std::move(page);
      n.core->scanned(std::move(found), now_);
    });
  } else if (auto* want = std::get_if<act::Read>(&action)) {
    auto rows = read(want->keys);
    later(node, slow, [this, rows = std::move(rows)](Node& n) mutable {
      n.core->rows_read({std::move(rows), {}, {}}, now_);
    });
  } else if (auto* write = std::get_if<act::Write>(&action)) {
    // The commit happens some time after it was asked for, even if the node is gone by then; its
    // answer later still.
    const NodeId writer = node.incarnation.id;
    auto commit = [this, soon, writer, writes = std::move(write->writes)](Node& n) {
      ++commits_;
      std::vector<RowResult> results;
      const bool lost = !storage_up_ || (!calm_ && chance(faults_.storage_lost_percent));
      const auto fate = random_.below(3);
      for (const auto& w : writes) {
        RowResult result;
        if (!lost || (fate == 0 && storage_up_)) result = apply(w);
        if (lost && fate == 1) ghosts_.emplace_back(writer, w);
        if (lost) result = {};
        results.push_back(std::move(result));
      }
      if (n.incarnation.id != writer) return;
      later(n, soon, [this, results = std::move(results)](Node& m) mutable {
        m.core->wrote(std::move(results), now_);
      });
    };
    events_.insert({now_ + soon, ++order_, node.name, NodeId::none, std::move(commit)});
  } else if (auto* start = std::get_if<act::Start>(&action)) {
    const std::string key = start->key;
    const auto there = processes_.find(key);
    if (there != processes_.end()) {
      fail("start of " + key + " on " + node.name + " while it runs on " + there->second.name);
    }
    const bool fails = node.starts_fail || (!calm_ && chance(faults_.start_fails_percent));
    const Pid pid{node.incarnation.id, ++next_serial_};
    if (!fails) processes_[key] = {node.incarnation.id, node.name, pid.serial};
    later(node, soon, [this, key, fails, pid](Node& n) {
      if (fails) {
        n.core->start_failed(
            key, StartError{StartError::Code::failed, {}, ExitReason::term("no"), {}}, now_);
      } else {
        n.core->started(key, pid, now_);
      }
    });
  } else if (auto* stop = std::get_if<act::Stop>(&action)) {
    const auto now = processes_.find(stop->key);
    if (now == processes_.end()) return;  // its end is already on its way
    later(node, soon, [this, key = stop->key, serial = now->second.serial](Node& n) {
      const auto there = processes_.find(key);
      if (there == processes_.end() || there->second.serial != serial) return;
      processes_.erase(there);
      n.core->exited(key, ExitReason::shutdown(), now_);
    });
  } else if (auto* answer = std::get_if<act::Answer>(&action)) {
    if (!answers_.emplace(answer->request, answer->result).second) {
      fail("request answered twice");
    }
    const std::string& what = asked_[answer->request];
    if (what.starts_with("terminate ") && answer->result && starts_open_[what.substr(10)] == 0) {
      deleted_.insert(what.substr(10));
    }
    if (what.starts_with("start ")) {
      --starts_open_[what.substr(6)];
      if (answer->result) acked_.insert(what.substr(6));
    }
  } else if (auto* resolve = std::get_if<act::Resolve>(&action)) {
    const auto there = processes_.find(resolve->key);
    --starts_open_[resolve->key];
    answers_.emplace(
        resolve->request,
        std::unexpected(ChildError{there == processes_.end() ? ChildError::Code::starting
                                                             : ChildError::Code::already_started,
                                   {},
                                   {},
                                   {}}));
  } else if (auto* adopt = std::get_if<act::Adopt>(&action)) {
    Node& other = nodes_.at(adopt->node);
    if (!other.up || (!calm_ && chance(20))) return;  // it may be lost: the sweep finds the row
    later(other, soon, [keys = adopt->keys](Node& n) { n.core->adopt(keys); });
  } else if (std::holds_alternative<act::Escalate>(action)) {
    ++node.escalations;
  }
}

void ModelCluster::advance(Time to) {
  while (broken_.empty()) {
    // The earliest of the events and of the cores' own wishes to be woken.
    Time next = to;
    Node* waking = nullptr;
    for (auto& [name, node] : nodes_) {
      if (!node.up) continue;
      const Time wake = std::max(now_, node.core->next_wake());
      if (wake < next) {
        next = wake;
        waking = &node;
      }
    }
    if (!events_.empty() && events_.begin()->at <= next) {
      auto event = events_.extract(events_.begin());
      now_ = std::max(now_, event.value().at);
      Node& node = nodes_.at(event.value().node);
      const NodeId meant = event.value().incarnation;
      if (meant == NodeId::none || (node.up && node.incarnation.id == meant)) {
        event.value().run(node);
        if (node.up) perform(node);
      }
      continue;
    }
    if (waking == nullptr) break;
    now_ = std::max(next, now_ + 1us);
    waking->core->tick(true, now_);
    perform(*waking);
  }
  now_ = std::max(now_, to);
}

void ModelCluster::settle(Duration time) { advance(now_ + time); }

RequestId ModelCluster::start(const std::string& at, const std::string& key, Restart restart,
                              OnNodeDown down) {
  Node& node = nodes_.at(at);
  const RequestId id = ++next_request_;
  asked_[id] = "start " + key;
  deleted_.erase(key);
  ++starts_open_[key];
  node.core->start_request(id, ClusterChild{key, "args", restart, down}, now_);
  perform(node);
  return id;
}

RequestId ModelCluster::terminate(const std::string& at, const std::string& key) {
  Node& node = nodes_.at(at);
  const RequestId id = ++next_request_;
  asked_[id] = "terminate " + key;
  acked_.erase(key);  // from now on it may be gone, whatever the answer
  if (!node.core->terminate_request(id, key, now_)) {
    const auto there = store_.find(key);
    const auto found = row(key);
    if (found && view_->find(found->owner_id) == nullptr) {
      node.core->terminate_orphan(id, FoundRow{key, there->second.version, *found}, now_);
    }
  }
  perform(node);
  return id;
}

void ModelCluster::child_exit(const std::string& key, ExitReason reason) {
  const auto there = processes_.find(key);
  if (there == processes_.end()) return;
  Node& node = nodes_.at(there->second.name);
  // A process that is only just starting tells its supervisor first that it has started.
  later(node, 25ms, [this, key, reason, serial = there->second.serial](Node& n) {
    const auto still = processes_.find(key);
    if (still == processes_.end() || still->second.serial != serial) return;
    processes_.erase(still);
    n.core->exited(key, reason, now_);
  });
}

void ModelCluster::report_death(const std::string& dead, std::vector<std::string> running) {
  const NodeId id = nodes_.at(dead).incarnation.id;
  for (auto& [name, node] : nodes_) {
    if (!node.up) continue;
    node.core->node_died(id, running, now_);
    perform(node);
  }
}

void ModelCluster::step_faults() {
  std::vector<std::string> up;
  for (const auto& [name, node] : nodes_) {
    if (node.up) up.push_back(name);
  }
  const std::string at = up[random_.below(up.size())];
  const std::string key = "k" + std::to_string(random_.below(25));
  if (chance(faults_.requests_percent)) start(at, key);
  if (chance(faults_.requests_percent / 3)) terminate(at, key);
  if (chance(faults_.child_crash_percent)) child_exit(key, ExitReason::error("E", "boom"));
  const std::string victim = up[random_.below(up.size())];
  if (random_.below(1000) < faults_.node_crash_permille && up.size() > 1) crash(victim);
  if (random_.below(1000) < faults_.drain_permille && up.size() > 1) {
    drain(up[random_.below(up.size())]);
  }
  for (auto& [name, node] : nodes_) {
    if (!node.up && random_.below(1000) < 20) boot(name);
    if (node.up && node.draining && random_.below(1000) < 20) {
      crash(name);
      boot(name);
    }
  }
  if (!ghosts_.empty() && chance(20)) {
    const auto index = random_.below(ghosts_.size());
    apply(ghosts_[index].second);
    ghosts_.erase(ghosts_.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

std::string ModelCluster::run() {
  for (int i = 0; i < faults_.steps && broken_.empty(); ++i) {
    step_faults();
    settle(Duration(1ms) * (1 + random_.below(60)));
  }
  calm_ = true;
  ghosts_.clear();
  for (auto& [name, node] : nodes_) {
    if (node.up && node.draining) crash(name);
    if (!node.up) boot(name);
  }
  settle(60s);
  return broken_.empty() ? check_end() : broken_;
}

std::string ModelCluster::check_end() const {
  for (const auto& [key, stored] : store_) {
    const auto spec = detail::unpack_row(stored.value).value();
    const bool runs = processes_.contains(key);
    if (spec.state == detail::SpecState::wanted && !runs)
      return key + " has a row and does not run";
    if (spec.state != detail::SpecState::wanted && runs) return key + " has failed but runs";
    if (runs && processes_.at(key).name != spec.owner) return key + " runs where it is not owned";
  }
  for (const auto& [key, process] : processes_) {
    if (!store_.contains(key)) return key + " runs without a row";
  }
  for (const auto& key : acked_) {
    if (!store_.contains(key)) return key + " was acknowledged and is forgotten";
  }
  for (const auto& key : deleted_) {
    if (store_.contains(key)) return key + " was deleted and came back";
  }
  return {};
}

void ModelCluster::fail(std::string what) {
  if (broken_.empty()) {
    broken_ = std::to_string(
                  std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch())
                      .count()) +
              " ms: " + std::move(what);
  }
}

std::optional<ChildResult<Pid>> ModelCluster::answer(RequestId id) const {
  const auto found = answers_.find(id);
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

std::string ModelCluster::runs_on(const std::string& key) const {
  const auto found = processes_.find(key);
  return found == processes_.end() ? "" : found->second.name;
}

std::optional<detail::SpecRow> ModelCluster::row(const std::string& key) const {
  const auto found = store_.find(key);
  if (found == store_.end()) return std::nullopt;
  return detail::unpack_row(found->second.value).value();
}

ClusterStatus ModelCluster::status(const std::string& node) const {
  return nodes_.at(node).core->status();
}

}  // namespace coterie::test
