#include "node/death_reports.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace coterie {
DeathReports::DeathReports(DeathReporter& reporter, const SignalSource& signals,
                           std::function<void()> let_go, Log& log, Options options)
    : reporter_(reporter),
      signals_(signals),
      let_go_(std::move(let_go)),
      log_(log),
      options_(options) {}

DeathReports::~DeathReports() {
  for (const Pending& pending : pending_) {
    if (pending.attempt == 0) continue;
    ::kill(pending.attempt, SIGKILL);
    while (::waitpid(pending.attempt, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

void DeathReports::add(Time now, Death death) {
  if (pending_.size() >= options_.pending_max) {
    Pending& oldest = pending_.front();
    log_.warning(LogModule::node, "too many deaths to tell, the oldest is left to its lease",
                 {{"incarnation", oldest.death.incarnation}});
    if (oldest.attempt != 0) ::kill(oldest.attempt, SIGKILL);  // reaped with all others
    pending_.pop_front();
  }
  pending_.push_back({std::move(death), after(now, options_.give_up_after), now, {}, 0});
  begin(now, pending_.back());
}

void DeathReports::begin(Time now, Pending& pending) {
  const pid_t guardian = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) attempt(pending.death, guardian);
  if (pid > 0) {
    pending.attempt = pid;
    pending.next = after(now, options_.attempt_max);
    return;
  }
  log_.warning(LogModule::node, "cannot start a process to tell of a death",
               {{"why", std::generic_category().message(errno)}});
  pending.next = after(now, options_.retry_max);
}

void DeathReports::attempt(const Death& death, pid_t guardian) noexcept {
  // Dies with the guardian: when both it and the node lose power, nobody tells.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guardian) ::_exit(1);
  ::prctl(PR_SET_NAME, "coterie-report");
  // A signal from the terminal is for the node; this ends by itself.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &signals_.mask_before(), nullptr);
  bool told = false;
  try {
    let_go_();
    told = reporter_.report(death);
  } catch (...) {
    // Counts as failed: the guardian tries again, and says so when it gives up.
  }
  ::_exit(told ? 0 : 1);
}

bool DeathReports::ended(Time now, pid_t pid, int wait_status) {
  const auto found = std::ranges::find(pending_, pid, &Pending::attempt);
  if (found == pending_.end()) return false;
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
    log_.info(LogModule::node, "told the others of the death",
              {{"incarnation", found->death.incarnation}});
    pending_.erase(found);
  } else if (now >= found->give_up_at) {
    log_.warning(LogModule::node, "nobody could be told of the death, it is left to the lease",
                 {{"incarnation", found->death.incarnation}});
    pending_.erase(found);
  } else {
    found->attempt = 0;
    found->backoff = found->backoff == Duration::zero()
                         ? options_.retry_min
                         : std::min(found->backoff * 2, options_.retry_max);
    found->next = after(now, found->backoff);
  }
  return true;
}

void DeathReports::tick(Time now) {
  for (Pending& pending : pending_) {
    if (now < pending.next) continue;
    if (pending.attempt == 0) {
      begin(now, pending);
    } else {
      ::kill(pending.attempt, SIGKILL);  // ended() hears of it
      pending.next = Time::max();
    }
  }
}

Time DeathReports::next_tick() const noexcept {
  Time next = Time::max();
  for (const Pending& pending : pending_) next = std::min(next, pending.next);
  return next;
}

}  // namespace coterie
