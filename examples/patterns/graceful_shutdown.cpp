// Graceful shutdown: how a tree of processes ends in order, and in bounded time.
//
// The idea: what is built on something must end before it, and have time to finish its work. OTP's
// rule: a supervisor stops its children in the reverse order of their start. Each gets `shutdown`
// and as long as its spec says (5 s for a worker) to run terminate, for which it must trap exits;
// past that it is killed. A node of `coterie node` ends its applications the same way on SIGTERM.

#include <iostream>
#include <vector>

#include <coterie/node.hpp>
#include <coterie/supervisor.hpp>

using namespace coterie;
using namespace std::chrono_literals;

/// One part of a service, with something to do before it ends.
class Part final : public GenServer {
 public:
  Part(std::string last_act, bool stuck) : last_act_(std::move(last_act)), stuck_(stuck) {}

  static ChildSpec child_spec(std::string name, std::string last_act, bool stuck = false) {
    auto spec = child<Part>(name, {.name = local(name), .trap_exit = true}, last_act, stuck);
    if (stuck) spec.shutdown = 50ms;  // nobody waits for it longer than that
    return spec;
  }
  void terminate(const ExitReason& reason) {
    std::cout << to_string(reason) << ": " << last_act_ << "\n";
    if (stuck_) sleep(infinity);
  }

 private:
  const std::string last_act_;
  const bool stuck_;
};

int main() {
  Node node;
  auto self = node.attach();
  const std::vector<ChildSpec> specs{Part::child_spec("database", "commits"),
                                     Part::child_spec("cache", "writes itself back"),
                                     Part::child_spec("mailer", "waits for ever", true),
                                     Part::child_spec("listener", "drains its requests")};
  const Pid service = Supervisor::start_link(specs).value();
  std::vector<std::pair<Ref, std::string>> parts;
  for (const auto& spec : specs) parts.emplace_back(monitor(local(spec.id)), spec.id);

  GenServer::stop(service, ExitReason::shutdown(), infinity).value();

  std::cout << "\nThey ended in this order:\n";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    receive([&](const Down& down) {
      for (const auto& [ref, name] : parts) {
        if (ref == down.ref) std::cout << "  " << name << ": " << to_string(down.reason) << "\n";
      }
    });
  }
}
