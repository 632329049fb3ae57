// Publish and subscribe: a Registry with duplicate keys is all it takes.
//
// The idea: a topic is a key, a subscription is a registration, and its value is what the
// subscriber wants to hear. OTP's rule (Elixir's Registry): dispatch runs in the publisher, and no
// process is on the way of a message. A subscription ends with its process, before anybody can see
// that end: there is nothing to clean up, and what a publisher finds is alive.

#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>
#include <coterie/registry.hpp>
#include <coterie/supervisor.hpp>

using namespace coterie;
using namespace std::chrono_literals;

namespace pub_sub {

struct Payment {
  std::int64_t cents = 0;
};
/// Kept beside the subscription; the publisher looks at it.
struct Above {
  std::int64_t cents = 0;
};

ChildSpec child_spec() { return Registry::child_spec({.name = "topics", .keys = Keys::duplicate}); }

void subscribe(const std::string& topic, Above filter = {}) {
  Registry::register_name("topics", topic, filter).value();
}
void unsubscribe(const std::string& topic) { Registry::unregister("topics", topic); }

int publish(const std::string& topic, const Payment& payment) {
  int told = 0;
  Registry::dispatch("topics", topic, [&](std::span<const RegistryEntry> entries) {
    for (const auto& [pid, value] : entries) {
      const Above* filter = value.get<Above>();
      if (filter != nullptr && payment.cents <= filter->cents) continue;
      send(pid, payment);
      ++told;
    }
  });
  return told;
}

}  // namespace pub_sub

class Ledger final : public GenServer {
 public:
  using Infos = Messages<pub_sub::Payment>;
  struct Total {
    using Reply = std::int64_t;
  };
  using Calls = Messages<Total>;

  explicit Ledger(std::int64_t above) : above_(above) {}
  void init() { pub_sub::subscribe("payments", {.cents = above_}); }
  void handle_info(const pub_sub::Payment& payment) { total_ += payment.cents; }
  std::int64_t handle_call(const Total&) { return total_; }

 private:
  std::int64_t above_;
  std::int64_t total_ = 0;
};

int main() {
  Node node;
  auto self = node.attach();
  const Pid top = Supervisor::start_link(
                      {pub_sub::child_spec(), child<Ledger>("all", {.name = local("all")}, 0),
                       child<Ledger>("large", {.name = local("large")}, 10'000)},
                      {.strategy = Strategy::rest_for_one})
                      .value();
  const auto total = [](const char* ledger) {
    return GenServer::call(local(ledger), Ledger::Total{}).value();
  };
  for (const std::int64_t cents : {500, 20'000, 15'000}) {
    std::cout << cents << " told " << pub_sub::publish("payments", {cents}) << '\n';
  }
  std::cout << "all " << total("all") << ", large " << total("large") << '\n';

  // A subscriber that dies is no subscriber any more, and one that comes back is one again.
  const Pid large = whereis("large").value();
  const Ref gone = monitor(large);
  exit(large, ExitReason::kill());
  receive_down(gone);
  Supervisor::count_children(top).value();  // answers after the restart
  std::cout << "30000 told " << pub_sub::publish("payments", {30'000}) << '\n';
  std::cout << "all " << total("all") << ", large " << total("large") << '\n';

  pub_sub::subscribe("payments");
  std::cout << "1 told " << pub_sub::publish("payments", {1}) << '\n';
  receive([](const pub_sub::Payment& payment) { std::cout << "heard " << payment.cents << '\n'; });
  pub_sub::unsubscribe("payments");
  std::cout << "2 told " << pub_sub::publish("payments", {2}) << '\n';
  std::cout << "nobody: " << pub_sub::publish("refunds", {1}) << '\n';
  Supervisor::stop(top).value();
}
