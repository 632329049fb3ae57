#include "node/guardian.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <system_error>

#include "node/exit_codes.hpp"
#include "process/overloaded.hpp"

namespace coterie {
namespace {

guardian::ExitStatus status_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {0, WTERMSIG(wait_status)};
  return {WEXITSTATUS(wait_status), 0};
}

}  // namespace

Guardian::Guardian(const Clock& clock, Log& log, DeathReporter& reporter, Options options)
    : clock_(clock),
      log_(log),
      options_(std::move(options)),
      core_(options_.policy),
      signals_({SIGCHLD, SIGTERM, SIGINT, SIGHUP}),
      reports_(
          reporter, signals_,
          [this] {
            // Who waits for these to be let go waits for the guardian to be gone.
            child_.reset();
            lock_.reset();
          },
          log_, options_.reports),
      guardian_pid_(options_.state_directory / "guardian.pid"),
      node_pid_(options_.state_directory / "node.pid") {}

int Guardian::run() {
  ::prctl(PR_SET_NAME, "coterie-guard");
  if (!lock_directory()) return exit_code::failure;
  feed(guardian::Begin{});
  while (!exit_code_) {
    wait_for_signal(std::min(core_.next_tick(), reports_.next_tick()));
    take_signals();
    // Before the tick: a child that is dead already is not judged by its page.
    reap();
    feed(guardian::Tick{child_ ? child_->page.snapshot() : PageSnapshot{}});
    reports_.tick(clock_.now());
  }
  finish_reports();
  return *exit_code_;
}

bool Guardian::lock_directory() {
  std::error_code error;
  std::filesystem::create_directories(options_.state_directory, error);
  const std::string path = options_.state_directory / "guardian.lock";
  lock_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock_ && ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    log_.error(LogModule::node,
               "the state directory has a guardian already; stop that one, or give this node a "
               "directory of its own",
               {{"directory", options_.state_directory.string()}});
    return false;
  }
  // A directory that cannot be written is the node's to explain: it cannot start there either.
  if (const std::string why = guardian_pid_.write(::getpid()); !why.empty()) {
    log_.warning(LogModule::node, "cannot write the guardian's pid", {{"why", why}});
  }
  return true;
}

void Guardian::feed(const guardian::Event& event) {
  for (const guardian::Action& action : core_.step(clock_.now(), event)) perform(action);
}

void Guardian::perform(const guardian::Action& action) {
  std::visit(
      Overloaded{
          [&](const guardian::StartChild&) { start_child(); },
          [&](const guardian::AskChildToStop&) {
            if (child_) ::kill(child_->pid, SIGTERM);
          },
          [&](const guardian::KillChild& kill) {
            log_.error(LogModule::node,
                       kill.why == guardian::KillChild::Why::past_its_lease
                           ? "the node is past its lease and has not frozen: it is killed"
                           : "the node does not leave in the time it was given: it is killed");
            // It has not been waited for, so the pid is still its own. SIGKILL also ends a
            // stopped process.
            if (child_) ::kill(child_->pid, SIGKILL);
          },
          [&](const guardian::ReportDeath& death) { report(death); },
          [&](const guardian::RestartLater& restart) {
            log_.info(LogModule::node, "the node is started again", {{"after", restart.after}});
          },
          [&](const guardian::Exit& exit) { exit_code_ = exit.code; },
      },
      action);
}

void Guardian::start_child() {
  auto child = ChildProcess::start(options_.arguments, signals_.mask_before());
  if (!child) {
    log_.error(LogModule::node, "cannot start the node", {{"why", child.error()}});
    feed(guardian::StartFailed{});
    return;
  }
  child_.emplace(std::move(*child));
  if (const std::string why = node_pid_.write(child_->pid); !why.empty()) {
    log_.warning(LogModule::node, "cannot write the node's pid", {{"why", why}});
  }
  feed(guardian::ChildStarted{});
}

void Guardian::report(const guardian::ReportDeath& death) {
  const PageSnapshot page = child_->page.snapshot();
  Death told{page.incarnation.value_or(Incarnation{}), death.status, death.by_guardian,
             child_->page.running().names(), child_->page.running().overflow()};
  if (death.status.signal != 0) {
    log_.error(LogModule::node, "the node died",
               {{"incarnation", told.incarnation},
                {"signal", death.status.signal},
                {"running", told.running.size()}});
  } else {
    log_.info(LogModule::node, "the node ended",
              {{"incarnation", told.incarnation}, {"code", death.status.code}});
  }
  child_.reset();
  node_pid_.remove();
  // Without an incarnation it never met the others.
  if (page.incarnation) reports_.add(clock_.now(), std::move(told));
}

void Guardian::wait_for_signal(Time until) {
  const Time now = clock_.now();
  if (until <= now) return;
  // Rounded up, so that no tick comes a fraction early and spins. A minute at most: the kernel does
  // not count the time that the machine is suspended.
  const Duration wait = std::min<Duration>(until - now, std::chrono::minutes(1));
  pollfd wanted{signals_.descriptor(), POLLIN, 0};
  ::poll(&wanted, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
}

void Guardian::take_signals() {
  while (const auto signal = signals_.next()) {
    if (*signal != SIGCHLD) feed(guardian::StopSignal{});
  }
}

void Guardian::reap() {
  int status = 0;
  for (;;) {
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (child_ && pid == child_->pid) {
      feed(guardian::ChildExited{status_of(status), !child_->page.snapshot().lease_end});
    } else {
      reports_.ended(clock_.now(), pid, status);
    }
  }
}

void Guardian::finish_reports() {
  const Time until = after(clock_.now(), options_.exit_wait);
  while (!reports_.empty() && clock_.now() < until) {
    wait_for_signal(std::min(until, reports_.next_tick()));
    while (signals_.next()) {
    }
    reap();
    reports_.tick(clock_.now());
  }
}

}  // namespace coterie
