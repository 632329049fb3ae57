// PledgeServer: looking into a server while it runs.
//
// The idea: a running system is debugged where it runs. OTP's rule: every behaviour answers the
// messages of sys between two of its own, without a line of code for it; here one line, state(),
// says what its state is. trace prints each event to the node's log, in OTP's own words; log keeps
// the same lines in the server until somebody asks.

#include <iostream>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>
#include <coterie/sys.hpp>

using namespace coterie;

class PledgeServer final : public GenServer {
 public:
  static auto start_link() {
    return GenServer::start_link<PledgeServer>({.name = local("pledge_server")});
  }
  static std::string create_pledge(std::string name, std::int64_t amount) {
    return call<PledgeServer>(local("pledge_server"), CreatePledge{std::move(name), amount})
        .value();
  }
  static std::int64_t total_pledged() {
    return call<PledgeServer>(local("pledge_server"), TotalPledged{}).value();
  }
  static void clear() { cast<PledgeServer>(local("pledge_server"), Clear{}); }

  struct Pledge {
    std::string name;
    std::int64_t amount = 0;
  };
  struct State {
    std::size_t cache_size = 5;
    std::vector<Pledge> pledges{};  // the newest first, no more than cache_size
  };
  struct CreatePledge {
    using Reply = std::string;
    static constexpr std::string_view type_name = "pledge_server.create_pledge";
    std::string name;
    std::int64_t amount = 0;
  };
  struct TotalPledged {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "pledge_server.total_pledged";
  };
  struct Clear {
    static constexpr std::string_view type_name = "pledge_server.clear";
  };
  using Calls = Messages<CreatePledge, TotalPledged>;
  using Casts = Messages<Clear>;

  State& state() { return state_; }  // for sys

  std::string handle_call(const CreatePledge& m) {
    state_.pledges.insert(state_.pledges.begin(), {m.name, m.amount});
    if (state_.pledges.size() > state_.cache_size) state_.pledges.pop_back();
    return "pledge-" + std::to_string(++last_id_);
  }
  std::int64_t handle_call(const TotalPledged&) {
    std::int64_t total = 0;
    for (const Pledge& pledge : state_.pledges) total += pledge.amount;
    return total;
  }
  void handle_cast(const Clear&) { state_.pledges.clear(); }

 private:
  State state_;
  std::int64_t last_id_ = 0;
};

int main() {
  Node node;
  auto self = node.attach();
  const Pid pid = PledgeServer::start_link().value();
  PledgeServer::create_pledge("margot", 25);
  PledgeServer::create_pledge("rodrigo", 15);

  // iex> :sys.get_state(pid)
  std::cout << "state: " << sys::get_state(pid).value().term << "\n";
  const auto state = sys::get_state<PledgeServer>(pid).value();
  std::cout << "the newest is " << state.pledges.front().name << "'s\n\n";

  // iex> :sys.trace(pid, true): standard error shows these lines too, as they happen.
  sys::trace(pid, true).value();
  sys::log(pid, true).value();
  PledgeServer::create_pledge("moe", 20);
  PledgeServer::total_pledged();
  PledgeServer::clear();
  const auto lines = sys::get_log(pid).value();
  for (const auto& line : lines) std::cout << line << "\n";
  sys::no_debug(pid).value();

  // iex> :sys.replace_state(pid, fn state -> %{state | cache_size: 3} end)
  sys::replace_state<PledgeServer>(pid, [](PledgeServer::State& s) { s.cache_size = 3; }).value();
  std::cout << "\nstate: " << sys::get_state(pid).value().term << "\n";

  // A server that is suspended keeps its messages; sys is answered all the same.
  sys::suspend(pid).value();
  PledgeServer::clear();
  const auto status = sys::get_status(pid).value();
  std::cout << status.name << " is "
            << (status.running == sys::Running::suspended ? "suspended" : "running") << "\n";
  sys::resume(pid).value();
  std::cout << "total: " << PledgeServer::total_pledged() << "\n";
}
