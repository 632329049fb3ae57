// Metrics collector: many processes report, one adds up, and reporting slows nobody down.
//
// The idea: who measures casts and goes on; the collector's state is only ever touched by itself,
// so counters need neither locks nor atomics. OTP's rule: messages from one process arrive in
// order, and what a process sent arrives before the news of its end; so once the reporters have
// ended, all that they reported is in.

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;

class Metrics final : public GenServer {
 public:
  static auto start_link() { return GenServer::start_link<Metrics>({.name = local("metrics")}); }
  static void count(std::string name) {
    cast<Metrics>(local("metrics"), Observe{std::move(name), 1});
  }
  static void observe(std::string name, std::int64_t value) {
    cast<Metrics>(local("metrics"), Observe{std::move(name), value});
  }
  /// What came in since the last flush.
  static auto flush() { return call<Metrics>(local("metrics"), Flush{}).value(); }

  struct Summary {
    std::int64_t count = 0;
    std::int64_t sum = 0;
    std::int64_t max = 0;
  };
  struct Observe {
    static constexpr std::string_view type_name = "metrics.observe";
    std::string name;
    std::int64_t value = 0;
  };
  struct Flush {
    using Reply = std::map<std::string, Summary>;
    static constexpr std::string_view type_name = "metrics.flush";
  };
  using Calls = Messages<Flush>;
  using Casts = Messages<Observe>;

  void handle_cast(const Observe& m) {
    Summary& summary = summaries_[m.name];
    ++summary.count;
    summary.sum += m.value;
    summary.max = std::max(summary.max, m.value);
  }
  std::map<std::string, Summary> handle_call(const Flush&) { return std::exchange(summaries_, {}); }

 private:
  std::map<std::string, Summary> summaries_;
};

int main() {
  Node node;
  auto self = node.attach();
  Metrics::start_link().value();

  std::vector<Ref> web_servers;
  for (int server = 0; server < 4; ++server) {
    web_servers.push_back(spawn_monitor([] {
                            for (int request = 1; request <= 1000; ++request) {
                              Metrics::count("requests");
                              if (request % 100 == 0) Metrics::count("errors");
                              Metrics::observe("response_bytes", request);
                            }
                          }).second);
  }
  for (const Ref end : web_servers) {
    receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
  }

  for (const auto& [name, summary] : Metrics::flush()) {
    std::cout << name << ": count " << summary.count << ", sum " << summary.sum << ", max "
              << summary.max << "\n";
  }
  std::cout << "after the flush: " << Metrics::flush().size() << " metrics\n";
}
