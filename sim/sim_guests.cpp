#include "sim/sim_guests.hpp"

#include <algorithm>
#include <optional>

#include <coterie/gen_server.hpp>
#include <coterie/journal.hpp>
#include <coterie/process.hpp>
#include <coterie/task.hpp>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t seats = 3;
constexpr unsigned contenders = 2;        // on each node
constexpr std::ptrdiff_t rivals = 5;      // nodes that have some
constexpr std::uint64_t behind_max = 50;  // of pings that are under way
constexpr std::size_t neighbours = 2;
constexpr std::ptrdiff_t writers = 2;  // nodes that have one
constexpr std::string_view ledger = "ledger";

/// A process that holds a global name; each call is a callback that the checkers see.
class Seat final : public GenServer {
 public:
  struct Sit {
    using Reply = bool;
    static constexpr std::string_view type_name = "sim.sit";
  };
  using Calls = Messages<Sit>;
  bool handle_call(const Sit&) { return true; }
};

/// A global name with a journal, which remembers few requests and none of them for long.
class Ledger final : public GenServer {
 public:
  struct Enter {
    using Reply = bool;
    static constexpr std::string_view type_name = "sim.enter";
  };
  struct Entry {
    std::uint64_t number = 0;
  };
  struct Total {
    std::uint64_t entries = 0;
  };
  using Calls = Messages<Enter>;

  Init init() {
    const auto opened = journal_.open(
        std::string(ledger), [this](const Total& total) { entries_ = total.entries; },
        [this](const Entry& entry) { entries_ = entry.number; });
    return opened ? ok() : stop_init(opened.error().reason());
  }
  Outcome<bool> handle_call(const Enter&) {
    if (journal_.outcome(current_request_id()) != nullptr) return true;
    if (const auto stored = journal_.append(Entry{entries_ + 1}, current_request_id(), pack(true));
        !stored) {
      return fail(stored.error());
    }
    ++entries_;
    if (journal_.snapshot_due()) static_cast<void>(journal_.snapshot(Total{entries_}));
    return true;
  }

 private:
  std::uint64_t entries_ = 0;
  Journal journal_{
      {.requests = 4, .request_memory = 400ms, .request_ids_max = 8, .snapshot_every = 20}};
};

}  // namespace

class Ear final : public GenServer {
 public:
  struct Ping {
    static constexpr std::string_view type_name = "sim.ping";
    Pid from;
    std::uint64_t monitor = 0;
    std::uint64_t number = 0;
  };
  using Casts = Messages<Ping>;
  explicit Ear(SimGuests* guests) : guests_(*guests) {}
  void handle_cast(const Ping& ping) { guests_.heard({ping.from, ping.monitor}, ping.number); }

 private:
  SimGuests& guests_;
};

Duration SimGuests::draw(Duration least, Duration most) {
  const auto range = static_cast<std::uint64_t>((most - least).count()) + 1;
  return least + Duration(static_cast<Duration::rep>(random_.below(range)));
}

Application SimGuests::application() {
  Application application;
  application.name = "guests";
  application.children = [this] {
    std::vector<ChildSpec> children;
    children.push_back(child<Ear>("ear", {.name = local("ear")}, this));
    const auto own = std::ranges::find(nodes_, node_name()) - nodes_.begin();
    for (unsigned i = 0; own < rivals && i < contenders; ++i) {
      children.push_back(Task::child_spec("contender-" + std::to_string(i), [this] { contend(); }));
    }
    if (own < rivals) children.push_back(Task::child_spec("looker", [this] { look_up(); }));
    if (own < writers) children.push_back(Task::child_spec("writer", [this] { write(); }));
    // Around a ring, so that a large cluster has no square of them.
    for (std::size_t i = 1; i <= std::min(neighbours, nodes_.size() - 1); ++i) {
      const std::string& to = nodes_[(static_cast<std::size_t>(own) + i) % nodes_.size()];
      children.push_back(Task::child_spec("to-" + to, [this, to] { speak(to); }));
    }
    for (ChildSpec& child : children) child.restart = Restart::permanent;
    return children;
  };
  return application;
}

// ---- seats

void SimGuests::contend() {
  for (;;) {
    // Now and then one that nobody asks for again: what is left of it is not found by chance.
    const bool once = random_.below(3) == 0;
    const std::uint64_t seat = once ? seats + ++once_ : random_.below(seats);
    StartOptions options{.name = global("seat-" + std::to_string(seat))};
    // One that is killed while its name is being registered leaves nothing behind.
    if (once) options.timeout = draw(1ms, 300ms);
    const auto taken = GenServer::start<Seat>(std::move(options));
    if (!taken) {
      sleep(draw(5ms, 120ms));
      continue;
    }
    if (!once) seats_[seat] = world_.now();
    ++taken_;
    for (std::uint64_t left = random_.below(6); left > 0; --left) {
      static_cast<void>(call(*taken, Seat::Sit{}, 1s));
      sleep(draw(1ms, 80ms));
    }
    if (!GenServer::stop(*taken, ExitReason::normal(), 1s)) exit(*taken, ExitReason::kill());
  }
}

void SimGuests::look_up() {
  NameService* const names = detail::current_process().runtime().names();
  for (;;) {
    sleep(draw(5ms, 150ms));
    const std::string key = "seat-" + std::to_string(random_.below(seats));
    const std::string name = "global/" + key;
    const auto before = newest_(name);
    const auto found = names->resolve("global", key, true, 1s);
    if (!found || !before || !newest_(name) || !(found->epoch < *before)) continue;
    violation_("I4 a strong look-up of " + name + " on " + node_name() + " finds epoch " +
               to_string(found->epoch) + ", and epoch " + to_string(*before) + " has run before");
  }
}

// ---- pings

void SimGuests::speak(const std::string& to) {
  const Pid me = self();
  /// However the process ends.
  struct Leaves {
    SimGuests& guests;
    const Pid me;
    ~Leaves() {
      std::erase_if(guests.ways_, [this](const auto& way) { return way.first.first == me; });
      guests.heard_.erase(me);
    }
  };
  const Leaves leaves{*this, me};
  std::optional<Ref> before;
  for (std::uint64_t number = 1;; ++number) {
    const Way way{me, number};
    const Ref ref = monitor(at("ear", to));
    ways_[way] = {.from = node_name(), .to = to};
    while (!receive_down(ref, draw(5ms, 250ms))) {
      Sent& sent = ways_[way];
      if (sent.gap) {
        violation_("I6 a ping from " + sent.from + " to " + to +
                   " was lost, and the sender was told of no loss");
        sent.gap = false;
      }
      ++sent.sent;
      ++pings_;
      cast(at("ear", to), Ear::Ping{me, number, sent.sent});
    }
    ways_.erase(way);
    if (before && receive_down(*before, 0ms)) violation_("I5 a second Down of " + to);
    before = ref;
    sleep(draw(1ms, 100ms));
  }
}

void SimGuests::heard(const Way& way, std::uint64_t number) {
  const auto living = ways_.lower_bound({way.first, 0});
  if (living == ways_.end() || living->first.first != way.first) return;  // its sender is dead
  std::uint64_t& latest = heard_[way.first];
  if (way.second < latest) violation_("I5 a ping came after one of a later session");
  latest = std::max(latest, way.second);
  const auto found = ways_.find(way);
  if (found == ways_.end()) return;  // the sender has its Down already
  Sent& sent = found->second;
  if (number <= sent.come) {
    violation_("I6 ping " + std::to_string(number) + " from " + sent.from + " to " + sent.to +
               " came after ping " + std::to_string(sent.come));
    return;
  }
  sent.gap = sent.gap || number != sent.come + 1;
  sent.come = number;
}

// ---- a ledger

void SimGuests::write() {
  const ServerRef book = global(std::string(ledger));
  for (;;) {
    // Where it is taken the other's is written to.
    static_cast<void>(GenServer::start<Ledger>({.name = global(std::string(ledger))}));
    for (std::uint64_t left = 10 + random_.below(30); left > 0; --left) {
      const std::string request = "entry-" + std::to_string(++written_);
      const auto entered = call(book, Ledger::Enter{}, {.timeout = 500ms, .request_id = request});
      // Now and then the same again, as one does who heard no answer.
      if (!entered || random_.below(8) == 0) {
        static_cast<void>(call(book, Ledger::Enter{}, {.timeout = 500ms, .request_id = request}));
      }
      sleep(draw(1ms, 60ms));
    }
    if (random_.below(4) == 0) static_cast<void>(GenServer::stop(book, ExitReason::normal(), 1s));
  }
}

std::string SimGuests::unsettled(Time from) const {
  for (std::uint64_t seat = 0; seat < seats; ++seat) {
    const auto taken = seats_.find(seat);
    if (taken == seats_.end() || taken->second < from) {
      return "I4 nobody can take the name global/seat-" + std::to_string(seat);
    }
  }
  for (const auto& [way, sent] : ways_) {
    if (sent.sent > sent.come + behind_max) {
      return "I6 pings from " + sent.from + " to " + sent.to + " do not come, and no loss is told";
    }
  }
  return {};
}

}  // namespace coterie::sim
