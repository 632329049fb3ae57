// ExpensiveComputation: a call that takes long, and a server that must go on serving.
//
// The idea: a server takes one message at a time, so whatever computes inside handle_call keeps all
// others waiting. OTP's rule: keep `from`, answer noreply, and let another process reply. What C++
// adds: nothing interrupts a running callback, so the computation also belongs on a thread that may
// be busy: blocking(...) parks the process and leaves the worker to the others. blocking alone, in
// handle_call, frees the worker but not the server.

#include <atomic>
#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

/// Lets main decide when the computation ends, so that the output is the same each time.
std::atomic<bool> computing = false;

std::int64_t expensive_computation(std::int64_t n) {
  computing = true;
  computing.notify_all();
  computing.wait(true);
  std::int64_t sum = 0;
  for (std::int64_t i = 1; i <= n; ++i) sum += i;
  return sum;
}

class Server final : public GenServer {
 public:
  /// Computed in handle_call: the server waits for it.
  struct SumInline {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "server.sum_inline";
    std::int64_t n = 0;
  };
  /// Computed beside the server, which replies later.
  struct SumLater {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "server.sum_later";
    std::int64_t n = 0;
  };
  struct Ping {
    using Reply = std::string;
    static constexpr std::string_view type_name = "server.ping";
  };
  using Calls = Messages<SumInline, SumLater, Ping>;

  std::int64_t handle_call(const SumInline& m) {
    return blocking([n = m.n] { return expensive_computation(n); });
  }
  Next handle_call(const SumLater& m, From<SumLater> from) {
    // Linked: should the computation crash, the server ends, and so does its caller's wait.
    spawn_link([n = m.n, from] { from.reply(blocking([n] { return expensive_computation(n); })); });
    return noreply();
  }
  std::string handle_call(const Ping&) { return "pong"; }
};

/// Asks for the sum in a process of its own, and meanwhile for a pong.
template <class Sum>
void use(std::string_view how, Duration patience) {
  const Pid server = GenServer::start_link<Server>({}).value();
  spawn_link(
      [server, asker = self()] { send(asker, call<Server>(server, Sum{.n = 1'000'000}).value()); });
  computing.wait(false);
  const auto pong = call<Server>(server, Server::Ping{}, patience);
  std::cout << how << "\n  meanwhile: " << (pong ? *pong : to_string(pong.error())) << "\n";
  computing = false;
  computing.notify_all();
  std::cout << "  sum: " << receive([](std::int64_t sum) { return sum; }) << "\n";
}

int main() {
  Node node;
  auto self = node.attach();
  use<Server::SumInline>("In handle_call:", 20ms);
  use<Server::SumLater>("Beside it, with a reply later:", 5s);
}
