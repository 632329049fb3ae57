#include "sim/sim_host.hpp"

#include <algorithm>
#include <utility>

#include "node/exit_codes.hpp"
#include "node/notice_reporter.hpp"
#include "process/overloaded.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr int sigkill = 9;
// As DeathReports does it.
constexpr Duration answers_within = 1s;
constexpr Duration retry_min = 200ms;
constexpr Duration retry_max = 5s;
constexpr Duration give_up_after = 60s;

guardian::Policy policy_of(const ClusterConfig& config, const NodeSection& own) {
  guardian::Policy policy;
  policy.lease_grace = config.guardian.lease_grace;
  policy.backoff_min = config.guardian.backoff_min;
  policy.backoff_max = config.guardian.backoff_max;
  policy.drain_max = config.guardian.drain_max;
  policy.respawn = own.respawn;
  return policy;
}

/// Digits only: every group of five is a number that the encoding of keys knows.
std::string draw_token(Random& random) {
  std::string token;
  for (int i = 0; i < 40; ++i) token += static_cast<char>('0' + random.below(10));
  return token;
}

}  // namespace

/// A death on its way to the others.
struct SimReport {
  DeathNotice notice;
  guardian::ExitStatus status;
  std::uint64_t guardian = 0;
  Time give_up_at{};
  Duration backoff{};
  std::vector<NoticeResult> results;  // of this attempt
};

SimHost::SimHost(SimSurroundings& around, const NodeSection& own, std::uint64_t& runs)
    : around_(around), own_(own), runs_(runs), clock_(around.world) {}

bool SimHost::start() {
  if (core_ || run_) return false;
  ++guardian_;
  exit_code_.reset();
  token_ = draw_token(around_.world.random());
  core_ = std::make_unique<guardian::GuardianCore>(policy_of(around_.config, own_));
  feed(guardian::Begin{});
  return true;
}

void SimHost::feed(const guardian::Event& event) {
  for (const guardian::Action& action : core_->step(clock_.now(), event)) {
    if (!core_) return;
    perform(action);
  }
  schedule_tick();
}

void SimHost::perform(const guardian::Action& action) {
  std::visit(Overloaded{
                 [&](const guardian::StartChild&) { start_child(); },
                 [&](const guardian::AskChildToStop&) {
                   if (run_) run_->request_stop();
                 },
                 [&](const guardian::KillChild&) {
                   // As by waitpid: heard of a moment later.
                   around_.world.post_at(around_.world.now(),
                                         [this, number = run_ ? run_->number() : 0] {
                                           if (run_ && run_->number() == number)
                                             end_program(sigkill);
                                         });
                 },
                 [&](const guardian::ReportDeath& death) { report(death); },
                 [&](const guardian::RestartLater&) {},
                 [&](const guardian::Exit& exit) {
                   exit_code_ = exit.code;
                   core_.reset();
                   if (exit.code == exit_code::failure) start_again();
                 },
             },
             action);
}

// A node that cannot start because of its disk ends, for whoever starts it to mend: a service
// manager that tries again.
void SimHost::start_again() {
  if (!troubled_ && !disk_.keeps_from_starting()) return;
  around_.world.post_at(around_.world.now(), [this] {
    if (exit_code_ == exit_code::failure) start();
  });
}

void SimHost::start_child() {
  bury();
  troubled_ = disk_.keeps_from_starting();
  const std::optional<Incarnation> before = last_;
  last_ = Incarnation{++counter_, NodeId{around_.world.random().next() | 1}};
  run_ = std::make_unique<SimRun>(
      around_,
      SimRunStart{++runs_, own_, *last_, before, curve_public_key(token_), voter_file_,
                  around_.world.random().split()},
      clock_, disk_, [this](std::uint64_t counter) { counter_ = std::max(counter_, counter); },
      [this](const NodeEnd& end) {
        child_ended({end.exit_code, 0}, true);
      });
  feed(guardian::ChildStarted{});
}

void SimHost::child_ended(const guardian::ExitStatus& status, bool tell) {
  const PageSnapshot page = run_->page().snapshot();
  death_.reset();
  if (page.incarnation) {
    death_ = Death{*page.incarnation, status, false, run_->page().running().names(),
                   run_->page().running().overflow()};
  }
  corpses_.push_back(std::move(run_));
  if (core_ && tell) feed(guardian::ChildExited{status, !page.lease_end});
  around_.world.post_at(around_.world.now(), [this] { bury(); });
}

bool SimHost::end_program(int signal) {
  if (!run_) return false;
  run_->cut();
  child_ended({0, signal}, true);
  return true;
}

bool SimHost::end_guardian() {
  if (!core_) return false;
  ++guardian_;
  core_.reset();
  return true;
}

bool SimHost::power_off() {
  if (!core_ && !run_) return false;
  ++guardian_;
  core_.reset();
  exit_code_ = 128 + sigkill;
  if (run_) {
    run_->cut();
    child_ended({0, sigkill}, false);
  }
  return true;
}

bool SimHost::stop() {
  if (!core_) {
    if (!run_) return false;
    run_->request_stop();
    return true;
  }
  feed(guardian::StopSignal{});
  return true;
}

bool SimHost::pause(bool paused) {
  if (!run_ || run_->frozen() == paused) return false;
  run_->freeze(paused);
  return true;
}

void SimHost::lose_state() noexcept {
  counter_ = 0;
  last_.reset();
  voter_file_.clear();
}

void SimHost::bury() {
  std::erase_if(corpses_, [](const auto& corpse) { return corpse->over(); });
}

void SimHost::schedule_tick() {
  if (!core_) return;
  const Time next = core_->next_tick();
  if (next == Time::max()) return;
  const Time at = clock_.world_time(next);
  if (at == Time::max()) return;  // its clock stands still: clock_changed() comes
  around_.world.post_at(at, [this, tick = ++tick_, guardian = guardian_] {
    if (!core_ || guardian != guardian_ || tick != tick_) return;
    guardian::Tick event;
    if (run_) event.page = run_->page().snapshot();
    feed(event);
  });
}

// ---- deaths, told to the others

void SimHost::report(const guardian::ReportDeath& death) {
  if (!death_) return;
  auto report = std::make_shared<SimReport>();
  report->notice.cluster_id = around_.config.cluster.id;
  report->notice.name = own_.name;
  report->notice.incarnation = death_->incarnation;
  report->notice.token = token_;
  report->notice.signal = static_cast<std::uint32_t>(death.status.signal);
  report->notice.exit_code = static_cast<std::uint32_t>(death.status.code);
  report->notice.running = death_->running;
  report->status = death.status;
  report->guardian = guardian_;
  report->give_up_at = after(around_.world.now(), give_up_after);
  tell(report);
}

void SimHost::tell(const std::shared_ptr<SimReport>& report) {
  report->results.clear();
  for (const NodeSection& node : around_.config.nodes) {
    if (node.name == own_.name || around_.links.is_cut(own_.name, node.name) ||
        around_.links.is_cut(node.name, own_.name)) {
      continue;
    }
    around_.doors.notice(node.name, around_.links.delay_between(own_.name, node.name),
                         report->notice, [report, node = node.name](NoticeTaken taken) {
                           report->results.push_back({node, taken.accepted, taken.text});
                         });
  }
  around_.world.post_at(after(around_.world.now(), answers_within), [this, report] {
    if (told_enough(report->status, report->results)) return;
    if (report->guardian != guardian_ || around_.world.now() >= report->give_up_at) return;
    report->backoff = report->backoff == Duration::zero()
                          ? retry_min
                          : std::min<Duration>(report->backoff * 2, retry_max);
    around_.world.post_at(after(around_.world.now(), report->backoff), [this, report] {
      if (report->guardian == guardian_) tell(report);
    });
  });
}

}  // namespace coterie::sim
