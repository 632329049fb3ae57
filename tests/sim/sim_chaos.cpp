#include "tests/sim/sim_chaos.hpp"

#include <algorithm>

namespace coterie::test {

using namespace std::chrono_literals;

namespace {
enum class Mode : std::uint8_t { at_once, parked, deferred, never, crash };
}

class ChaosServer final : public GenServer {
 public:
  struct Work {
    using Reply = std::uint64_t;
    static constexpr std::string_view type_name = "chaos.work";
    std::uint64_t id = 0;
    std::uint8_t mode = 0;
    std::int64_t us = 0;
  };
  struct Note {
    static constexpr std::string_view type_name = "chaos.note";
    std::uint64_t node = 0;
    std::uint64_t serial = 0;  // of the sender
    std::uint64_t sequence = 0;
    std::uint64_t losses = 0;  // of the pair's sessions, when it was sent
  };
  using Calls = Messages<Work>;
  using Casts = Messages<Note>;

  explicit ChaosServer(Chaos* chaos) : chaos_(*chaos) {}

  Outcome<std::uint64_t> handle_call(const Work& m, From<Work> from) {
    ++chaos_.executed_[m.id];
    const Duration wait = 1us * m.us;
    switch (static_cast<Mode>(m.mode)) {
      case Mode::at_once:
        break;
      case Mode::parked:
        sleep(wait);
        break;
      case Mode::deferred:
        spawn([from, wait, id = m.id] {
          sleep(wait);
          from.reply(id);
        });
        return noreply();
      case Mode::never:
        return noreply();
      case Mode::crash:
        throw std::runtime_error("chaos");
    }
    return reply(m.id);
  }

  void handle_cast(const Note& m) {
    ++chaos_.result_.notes;
    auto& [sequence, losses] = seen_[{m.node, m.serial}];
    const bool may_miss = chaos_.losses(NodeId{m.node}, self().node) > losses;
    if (m.sequence != sequence + 1 && !(may_miss && m.sequence > sequence)) {
      chaos_.violation("a cast was lost, repeated or overtaken: " + std::to_string(m.sequence) +
                       " after " + std::to_string(sequence));
    }
    sequence = m.sequence;
    losses = m.losses;
  }

 private:
  Chaos& chaos_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<std::uint64_t, std::uint64_t>> seen_;
};

/// One client: acts at random, then waits until everything it may expect has come.
class ChaosClient {
 public:
  explicit ChaosClient(Chaos& chaos) : chaos_(chaos) { ++chaos_.acting_; }
  ~ChaosClient() {
    --(acting_ ? chaos_.acting_ : chaos_.waiting_);
    chaos_.doing_.erase(me_);
  }

  void run() {
    trap_exit(true);
    for (unsigned i = 0; i < chaos_.options_.actions; ++i) {
      act();
      take_news(0s);
    }
    acting_ = false;
    chaos_.doing_.erase(me_);
    --chaos_.acting_;
    ++chaos_.waiting_;
    while (!chaos_.over_) take_news(50ms);
    const Time end = after(chaos_.cluster_.world.now(), 20s);
    while (!(monitors_.empty() && links_.empty()) && chaos_.cluster_.world.now() < end) {
      take_news(50ms);
    }
    for (const auto& [ref, pid] : monitors_) chaos_.violation("no Down for " + to_string(pid));
    for (const Pid& pid : links_) chaos_.violation("no Exit for " + to_string(pid));
  }

 private:
  void act() {
    const Pid target = chaos_.servers_[chaos_.draw(chaos_.servers_.size())];
    const auto action = chaos_.draw(9);
    chaos_.doing_[me_] = std::to_string(action) + " to " + to_string(target);
    switch (action) {
      case 0:
      case 1:
      case 2:
        request(target);
        break;
      case 3:
      case 4:
        note(target);
        break;
      case 5:
        monitors_.emplace(monitor(target), target);
        break;
      case 6:
        if (!monitors_.empty() && chaos_.draw(2) == 0) {
          const Ref ref = monitors_.begin()->first;
          demonitor(ref);
          monitors_.erase(ref);
        } else if (links_.insert(target).second) {
          link(target);
        }
        break;
      case 7:
        if (!links_.empty() && chaos_.draw(2) == 0) {
          cut_link(*links_.begin());
        } else if (chaos_.draw(6) == 0) {
          exit(target, ExitReason::kill());
          chaos_.start_server(self().node);
        }
        break;
      default:
        sleep(1us * static_cast<std::int64_t>(chaos_.draw(20'000)));
    }
  }

  void request(const Pid& target) {
    ChaosServer::Work work;
    work.id = ++chaos_.requests_;
    work.mode = static_cast<std::uint8_t>(chaos_.draw(20) == 0 ? 4 : chaos_.draw(4));
    work.us = static_cast<std::int64_t>(chaos_.draw(30'000));
    constexpr Duration waits[] = {1ms, 10ms, 100ms};
    // Without a deadline only where an answer must come.
    const bool endless = static_cast<Mode>(work.mode) != Mode::never && chaos_.draw(3) == 0;
    const Duration timeout = endless ? infinity : waits[chaos_.draw(3)];
    chaos_.doing_[me_] = "call mode " + std::to_string(work.mode) + " of " + to_string(target) +
                         (endless ? " without a deadline" : "");
    const Time start = chaos_.cluster_.world.now();
    const auto freezes = chaos_.freezes_;
    ++chaos_.result_.calls;
    const auto answer = call(target, work, timeout);
    const Duration took = chaos_.cluster_.world.now() - start;
    if (!endless && took > timeout + 50ms && freezes == chaos_.freezes_) {
      chaos_.violation("a call outlived its deadline by " + std::to_string(took.count()) + " ns");
    }
    if (answer) {
      ++chaos_.result_.answered;
      if (*answer != work.id) chaos_.violation("a call got another call's reply");
      if (chaos_.executed_[work.id] != 1) chaos_.violation("a reply without its execution");
    } else if (!answer.error().maybe_executed()) {
      chaos_.must_not_run_.insert(work.id);
    } else {
      ++chaos_.result_.unknown;
    }
  }

  void note(const Pid& target) {
    const Pid me = self();
    cast(target, ChaosServer::Note{static_cast<std::uint64_t>(me.node), me.serial,
                                   ++sequences_[target], chaos_.losses(me.node, target.node)});
  }

  void cut_link(Pid pid) {
    links_.erase(pid);
    unlink(pid);
    // An Exit that came before is of the link that was.
    while (receive(
        when([&](const Exit& e) { return e.from == pid; }, [](const Exit&) { return true; }),
        after(0s, [] { return false; }))) {
    }
  }

  void take_news(Duration wait) {
    while (receive(
        [&](const Down& down) {
          ++chaos_.result_.downs;
          if (monitors_.erase(down.ref) == 0) chaos_.violation("a Down that nobody waits for");
          return true;
        },
        [&](const Exit& exit) {
          ++chaos_.result_.exits;
          if (links_.erase(exit.from) == 0) chaos_.violation("an Exit without a link");
          return true;
        },
        [&](AnyMessage message) {
          chaos_.violation("a stray message: " + message.type_name());
          return true;
        },
        after(wait, [] { return false; }))) {
      wait = 0s;
    }
  }

  Chaos& chaos_;
  const Pid me_ = self();
  bool acting_ = true;
  std::map<Ref, Pid> monitors_;
  std::set<Pid> links_;
  std::map<Pid, std::uint64_t> sequences_;
};

Chaos::Chaos(std::uint64_t seed, ChaosOptions options)
    : options_(options), cluster_(seed, {.window = options.window}) {}

void Chaos::violation(std::string what) {
  cluster_.world.note(what);
  result_.violations.push_back(std::move(what));
}

std::string Chaos::hanging() const {
  std::string text;
  for (const auto& [pid, what] : doing_) text += "\n  " + to_string(pid) + ": " + what;
  return text;
}

void Chaos::start_node(const std::string& name) { alive_.push_back(cluster_.start(name)); }

void Chaos::start_server(NodeId node) {
  const auto start = [this] {
    servers_.push_back(GenServer::start<ChaosServer>({}, this).value());
  };
  if (detail::running_process() != nullptr) {
    start();
  } else {
    run_on(cluster_.runtime(node), start);
  }
}

void Chaos::start_client(NodeId node) {
  run_on(cluster_.runtime(node), [this] { ChaosClient(*this).run(); });
}

std::pair<NodeId, NodeId> Chaos::draw_pair() {
  return {alive_[draw(alive_.size())], alive_[draw(alive_.size())]};
}

void Chaos::lose_all(NodeId node) {
  for (const NodeId other : alive_) ++losses(node, other);
}

void Chaos::fault() {
  const auto [a, b] = draw_pair();
  switch (draw(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (a == b) return;
      ++losses(a, b);
      cluster_.network.cut(a, b, draw(4) == 0);
      return;
    case 4: {
      // A node dies and its next run joins.
      if (cluster_.started > 5) return;
      const std::string name = cluster_.runtime(a).options().node;
      lose_all(a);
      std::erase(alive_, a);
      cluster_.kill(a, draw(2) == 0);
      start_node(name);
      lose_all(alive_.back());  // it has no session yet
      start_server(alive_.back());
      start_client(alive_.back());
      return;
    }
    case 5:
    case 6: {
      auto& executor = cluster_.nodes.at(a)->executor;
      executor.freeze(!executor.frozen());
      ++freezes_;
      return;
    }
    default:
      cluster_.network.connect(a, b);
      return;
  }
}

void Chaos::end_all() {
  for (auto& [id, node] : cluster_.nodes) node->executor.freeze(false);
  // Detection of the last cuts, then whole again.
  for (int i = 0; i < 5; ++i) {
    cluster_.world.run_for(200ms);
    cluster_.network.connect_all();
  }
  if (!cluster_.world.run_until([this] { return acting_ == 0; }, 300s)) {
    violation("hangs:" + hanging());
    return;
  }
  over_ = true;
  run_on(cluster_.runtime(alive_[0]), [this] {
    for (const Pid& pid : servers_) exit(pid, ExitReason::kill());
  });
  if (!cluster_.world.run_until([this] { return waiting_ == 0; }, 300s)) {
    violation("hangs at the end:" + hanging());
    return;
  }
  cluster_.world.run_for(1s);
  for (const auto& [id, count] : executed_) {
    if (count > 1) violation("a request ran twice");
    if (must_not_run_.contains(id)) violation("a request ran that certainly did not run");
  }
  for (const NodeId node : alive_) {
    const auto tables = cluster_.runtime(node).remote_tables();
    if (tables.calls + tables.monitors + tables.links + tables.overflow + tables.waiting > 0) {
      violation("left over: " + std::to_string(tables.calls) + " calls, " +
                std::to_string(tables.monitors) + " monitors, " + std::to_string(tables.links) +
                " links, " + std::to_string(tables.overflow) + " signals, " +
                std::to_string(tables.waiting) + " writers");
    }
  }
}

ChaosResult Chaos::run() {
  for (const char* name : {"a", "b", "c"}) start_node(name);
  for (const NodeId node : alive_) {
    for (int i = 0; i < 3; ++i) start_server(node);
  }
  cluster_.join_all();
  for (const NodeId node : alive_) {
    for (unsigned i = 0; i < options_.clients_per_node; ++i) start_client(node);
  }
  for (unsigned i = 0; i < options_.faults; ++i) {
    cluster_.world.run_for(1us * static_cast<std::int64_t>(draw(40'000)));
    fault();
  }
  end_all();
  result_.digest = cluster_.world.digest();
  return std::move(result_);
}

}  // namespace coterie::test
