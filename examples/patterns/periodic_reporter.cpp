// PeriodicReporter: work at intervals, and handle_info for what is neither call nor cast.
//
// The idea: the server sends itself a message in the future, and again each time it comes. OTP's
// rule: send_after is one message, so the next delay starts when this report is done: a fixed
// delay, which drifts by what a report takes. The timer dies with its server, and no thread sleeps.

#include <ctime>
#include <iomanip>
#include <iostream>
#include <sstream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

std::string utc(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::ostringstream text;
  std::tm parts{};
  text << std::put_time(gmtime_r(&seconds, &parts), "%F %TZ");
  return text.str();
}

class PeriodicReporter final : public GenServer {
 public:
  /// Stops by itself after `reports`, so that the example ends.
  static auto start_link(Duration interval, int reports) {
    return GenServer::start_link<PeriodicReporter>({.name = local("reporter")}, interval, reports);
  }

  struct Report {
    static constexpr std::string_view type_name = "reporter.report";
  };
  using Infos = Messages<Report>;

  PeriodicReporter(Duration interval, int reports) : interval_(interval), reports_(reports) {}
  void init() { schedule_report(); }
  Next handle_info(const Report&) {
    std::cout << "Report #" << count_++ << ": " << utc(wall_time()) << "\n";
    if (count_ == reports_) return stop(ExitReason::normal());
    schedule_report();
    return noreply();
  }

 private:
  void schedule_report() { send_after(interval_, self(), Report{}); }

  const Duration interval_;
  const int reports_;
  int count_ = 0;
};

int main() {
  Node node;
  auto self = node.attach();
  const Ref end = monitor(PeriodicReporter::start_link(20ms, 3).value());
  receive(when([end](const Down& down) { return down.ref == end; },
               [](const Down& down) { std::cout << "ended: " << to_string(down.reason) << "\n"; }));
}
