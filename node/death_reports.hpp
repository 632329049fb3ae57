#pragma once
// The deaths that a guardian still has to tell. Each attempt is a forked process, so that the
// guardian stays single-threaded and small, a stuck connection delays no restart, and an attempt
// can be killed. Failed attempts are repeated with back-off for a while. The guardian's only
// thread.

#include <sys/types.h>

#include <functional>
#include <list>

#include <coterie/log.hpp>

#include "node/death_reporter.hpp"
#include "node/signal_source.hpp"

namespace coterie {

struct DeathReportsOptions {
  Duration attempt_max = std::chrono::seconds(5);       // then it is killed and counts as failed
  Duration retry_min = std::chrono::milliseconds(200);  // doubled up to retry_max
  Duration retry_max = std::chrono::seconds(5);
  Duration give_up_after = std::chrono::minutes(1);  // by then leases have done it
  std::size_t pending_max = 8;                       // the oldest is dropped
};

class DeathReports final {
 public:
  using Options = DeathReportsOptions;
  /// All outlive it. `signals`: blocked here, restored in the attempts' processes. `let_go` runs
  /// first in each of those: it closes what only the guardian may hold.
  DeathReports(DeathReporter& reporter, const SignalSource& signals, std::function<void()> let_go,
               Log& log, Options options);
  DeathReports(const DeathReports&) = delete;
  DeathReports& operator=(const DeathReports&) = delete;
  /// Kills and reaps what is under way.
  ~DeathReports();

  void add(Time now, Death death);
  /// True if `pid` was an attempt, which is now reaped.
  bool ended(Time now, pid_t pid, int wait_status);
  /// Starts and kills attempts that are due.
  void tick(Time now);
  Time next_tick() const noexcept;
  bool empty() const noexcept { return pending_.empty(); }

 private:
  struct Pending {
    Death death;
    Time give_up_at{};
    Time next{};  // when to begin an attempt, or to kill the one under way
    Duration backoff{};
    pid_t attempt = 0;  // 0: none under way
  };
  void begin(Time now, Pending& pending);
  [[noreturn]] void attempt(const Death& death, pid_t guardian) noexcept;

  DeathReporter& reporter_;
  const SignalSource& signals_;
  const std::function<void()> let_go_;
  Log& log_;
  const Options options_;
  std::list<Pending> pending_;
};

}  // namespace coterie
