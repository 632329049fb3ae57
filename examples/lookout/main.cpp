// A lookout on every node of a cluster: who is there (a process group), who leads (a global name
// that the next one takes when its owner is gone), and one bell that only one of them rings at a
// time (a lock). tests/examples/lookout_example_test.cpp runs it on three nodes.
//
//   build/examples/lookout node --config cluster-configs/local-3.toml --name a &  # ... b, c
//   build/examples/lookout call --config cluster-configs/local-3.toml lookout@a report
//
// The group sees whoever is connected, also on the small side of a cluster that has come apart. The
// leader is one at every instant: the small side has none, and its old one does nothing until it is
// back.

#include <coterie/global.hpp>
#include <coterie/name_monitor.hpp>
#include <coterie/process_groups.hpp>
#include <coterie/program.hpp>

namespace {

using namespace std::chrono_literals;
using namespace coterie;

class Lookout final : public GenServer {
 public:
  struct Report {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "lookout.report";
  };
  struct Place {
    using Reply = std::string;
    static constexpr std::string_view type_name = "lookout.place";
  };
  struct Ring {
    using Reply = std::string;
    static constexpr std::string_view type_name = "lookout.ring";
  };
  struct Elect {};
  using Calls = Messages<Report, Place, Ring>;
  using Infos = Messages<Elect, NameMoved, NameGone, pg::Joined, pg::Left>;

  void init() {
    pg::join("lookouts", "all", self());
    static_cast<void>(pg::monitor("lookouts", "all"));
    send(self(), Elect{});
  }

  std::vector<std::string> handle_call(const Report&) {
    std::vector<std::string> lines{std::to_string(pg::get_members("lookouts", "all").size()) +
                                   " on the lookout"};
    if (leads_) {
      lines.push_back("I lead");
    } else {
      const auto where = call(global("leader"), Place{}, 2s);
      lines.push_back(where ? *where + " leads" : "no leader: " + to_string(where.error()));
    }
    lines.insert(lines.end(), seen_.begin(), seen_.end());
    return lines;
  }
  std::string handle_call(const Place&) { return node_name(); }
  /// Whoever listens to the bell would refuse a token that is older than the last it heard.
  std::string handle_call(const Ring&) {
    const auto rung = Global::trans(
        {"bell"}, [](Epoch token) { return token; }, 3);
    return rung && *rung ? "ding" : "somebody else rings";
  }

  void handle_info(const Elect&) {
    const auto led = Global::register_name("leader", self(), 1s);
    leads_ = led || led.error().holder == self();
    if (leads_) return;
    if (led.error().code == Global::Error::Code::taken) {
      // A restart or a failover may take a moment; after it somebody else may try.
      static_cast<void>(monitor_name(global("leader"), {.gone_after = 200ms}));
    } else {
      send_after(200ms, self(), Elect{});  // the node is not active yet, or frozen
    }
  }
  void handle_info(const NameMoved&) { note("the lead has moved"); }
  void handle_info(const NameGone&) {
    note("the leader is gone");
    send(self(), Elect{});
  }
  void handle_info(const pg::Joined& joined) { note(std::to_string(joined.pids.size()) + " came"); }
  void handle_info(const pg::Left& left) { note(std::to_string(left.pids.size()) + " left"); }

 private:
  void note(std::string what) {
    if (seen_.size() == 10) seen_.erase(seen_.begin());
    seen_.push_back(std::move(what));
  }

  bool leads_ = false;
  std::vector<std::string> seen_;
};

}  // namespace

int main(int argc, char** argv) {
  const Application lookout{.name = "lookout", .children = [] {
                              return std::vector{
                                  pg::child_spec("lookouts"),
                                  child<Lookout>("lookout", {.name = local("lookout")})};
                            }};
  return run_program(argc, argv, {.name = "lookout", .applications = {lookout}});
}
