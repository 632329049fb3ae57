#include "node/guardian_core.hpp"

#include <algorithm>

#include "node/exit_codes.hpp"
#include "process/overloaded.hpp"

namespace coterie::guardian {
namespace {

int code_of(const ExitStatus& status) noexcept {
  return status.signal != 0 ? 128 + status.signal : status.code;
}

}  // namespace

std::vector<Action> GuardianCore::step(Time now, const Event& event) {
  return std::visit(Overloaded{
                        [&](const Begin&) -> Actions {
                          state_ = State::starting;
                          return {StartChild{}};
                        },
                        [&](const ChildStarted&) -> Actions {
                          state_ = State::running;
                          started_ = last_tick_ = now;
                          next_tick_ = after(now, policy_.idle_tick);
                          seen_past_lease_ = {};
                          killed_ = killed_for_lease_ = false;
                          if (!stop_from_) return {};
                          next_tick_ = std::min(next_tick_, kill_at_);
                          return {AskChildToStop{}};
                        },
                        [&](const StartFailed&) { return start_failed(now); },
                        [&](const ChildExited& exited) { return child_exited(now, exited); },
                        [&](const Tick& look) { return tick(now, look.page); },
                        [&](const StopSignal&) { return stop_signal(now); },
                    },
                    event);
}

GuardianCore::Actions GuardianCore::start_failed(Time now) {
  // A first start that fails is told at once; a later one may lack memory for a moment.
  Actions actions;
  if (backoff_ == Duration::zero() || stop_from_) {
    state_ = State::done;
    actions.push_back(Exit{exit_code::failure});
  } else {
    restart_later(now, actions);
  }
  return actions;
}

GuardianCore::Actions GuardianCore::child_exited(Time now, const ChildExited& exited) {
  if (state_ != State::running) return {};
  const ExitStatus& status = exited.status;
  served_ = served_ || !exited.never_served;
  Actions actions{ReportDeath{status, killed_}};
  next_tick_ = kill_at_ = Time::max();
  // Whoever is told to stop stops, whatever the child made of it.
  if (stop_from_) {
    state_ = State::done;
    actions.push_back(Exit{code_of(status)});
    return actions;
  }
  const bool by_code = status.signal == 0;
  // A node that fails before it ever took part (a port in use, a journal that cannot be opened) is
  // for whoever starts it to mend; one that has served is wanted back, however long that takes.
  const bool never = by_code && (status.code == exit_code::ok || status.code == exit_code::usage ||
                                 status.code == exit_code::name_taken ||
                                 (status.code == exit_code::failure && !served_));
  const bool always = (by_code && status.code == exit_code::fenced) || killed_for_lease_;
  if (never || !(always || policy_.respawn)) {
    state_ = State::done;
    actions.push_back(Exit{code_of(status)});
    return actions;
  }
  if (now - started_ >= policy_.healthy_after) backoff_ = {};
  restart_later(now, actions);
  return actions;
}

void GuardianCore::restart_later(Time now, Actions& actions) {
  backoff_ = backoff_ == Duration::zero() ? policy_.backoff_min
                                          : std::min(backoff_ * 2, policy_.backoff_max);
  state_ = State::waiting;
  restart_at_ = next_tick_ = after(now, backoff_);
  actions.push_back(RestartLater{backoff_});
}

GuardianCore::Actions GuardianCore::tick(Time now, const PageSnapshot& page) {
  if (state_ == State::waiting) {
    if (now < restart_at_) return {};
    state_ = State::starting;
    next_tick_ = Time::max();
    return {StartChild{}};
  }
  if (state_ != State::running) return {};
  Actions actions;
  const bool past = past_its_lease(now, page);
  last_tick_ = now;
  if (!killed_ && past && seen_past_lease_ >= policy_.lease_grace) {
    killed_ = killed_for_lease_ = true;
    actions.push_back(KillChild{KillChild::Why::past_its_lease});
  } else if (!killed_ && now >= kill_at_) {
    killed_ = true;
    actions.push_back(KillChild{KillChild::Why::drain_took_too_long});
  }
  if (killed_) {
    next_tick_ = Time::max();  // the next thing to happen is its exit
    return actions;
  }
  next_tick_ = after(now, past ? policy_.tick : policy_.idle_tick);
  if (!past && page.lease_end && *page.lease_end > now) {
    next_tick_ = std::min(next_tick_, *page.lease_end);
  }
  next_tick_ = std::min(next_tick_, kill_at_);
  return actions;
}

bool GuardianCore::past_its_lease(Time now, const PageSnapshot& page) {
  if (!page.lease_end || page.frozen || now < *page.lease_end) {
    seen_past_lease_ = {};
    return false;
  }
  const Duration since = now - std::max(last_tick_, *page.lease_end);
  seen_past_lease_ += std::min(since, 2 * policy_.tick);
  return true;
}

GuardianCore::Actions GuardianCore::stop_signal(Time now) {
  if (state_ == State::done) return {};
  if (state_ == State::idle || state_ == State::waiting) {
    state_ = State::done;
    return {Exit{exit_code::ok}};
  }
  if (!stop_from_) {
    stop_from_ = now;
    kill_at_ = after(after(now, policy_.drain_max), policy_.drain_grace);
  } else {
    // Asked again: no more patience than was promised.
    kill_at_ = std::max(now, after(*stop_from_, policy_.drain_max));
  }
  // A child that is being started in this very moment is asked when it is there.
  if (state_ == State::starting) return {};
  next_tick_ = std::min(next_tick_, kill_at_);
  return {AskChildToStop{}};
}

}  // namespace coterie::guardian
