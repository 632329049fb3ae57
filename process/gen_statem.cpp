#include <coterie/gen_statem.hpp>

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include <coterie/log.hpp>

namespace coterie::detail {

using Next = GenServer::Next;

Step bad_event(std::string_view event, std::string_view state) {
  Step step;
  step.kind = Step::Kind::stop;
  step.reason =
      ExitReason::term("{bad_event," + std::string(event) + "," + std::string(state) + "}");
  return step;
}

Next StatemCore::begin(Step actions) {
  // OTP's order: the enter call of the first state, then what init wanted.
  bool alive = enter(index_, actions);
  if (alive) {
    apply_timeouts(std::move(actions.timeouts));
    for (auto& event : actions.events) queue_.push_back(std::move(event));
    hibernates_ = actions.hibernates;
  }
  return run_queue(alive);
}

Next StatemCore::take(StatemEvent& event) { return run_queue(follow(run(event), event, nullptr)); }

Next StatemCore::take_unlisted(AnyMessage message) {
  const auto* fired = message.get<StatemTimer>();
  if (fired == nullptr) {
    node_log().warning(LogModule::process, "a message is not one of this state machine's",
                       {{"pid", self()}, {"message", message.type_name()}});
    return {};
  }
  const auto timer = timers_.find(fired->key);
  if (timer == timers_.end() || timer->second.serial != fired->serial) return {};
  StatemEventPtr event = std::move(timer->second.event);
  timers_.erase(timer);
  StatemEvent& content = *event;
  return run_queue(follow(run(content), content, std::move(event)));
}

/// Handles what is inside: inserted and retried events first, then timeouts of zero.
Next StatemCore::run_queue(bool alive) {
  while (alive) {
    StatemEventPtr event = next_event();
    if (!event) break;
    StatemEvent& content = *event;
    alive = follow(run(content), content, std::move(event));
  }
  if (!alive) return GenServer::stop(std::move(reason_));
  return hibernates_ ? GenServer::noreply().hibernate() : GenServer::noreply();
}

StatemEventPtr StatemCore::next_event() {
  if (!queue_.empty()) {
    StatemEventPtr event = std::move(queue_.front());
    queue_.pop_front();
    return event;
  }
  if (zeros_.empty()) return nullptr;
  auto timer = timers_.extract(zeros_.front());
  zeros_.pop_front();
  return std::move(timer.mapped().event);
}

/// Carries a step out; false: the machine stops, for reason_.
bool StatemCore::follow(Step step, StatemEvent& event, StatemEventPtr owned) {
  if (step.owes_reply && !step.postpones && step.kind != Step::Kind::stop) {
    step.kind = Step::Kind::stop;
    step.reason = ExitReason::term("bad_return");
  }
  if (step.kind == Step::Kind::stop) {
    reason_ = std::move(step.reason);
    return false;
  }
  if (step.postpones) postponed_.push_back(owned ? std::move(owned) : event.keep());
  const std::size_t old_index = index_;
  if (step.kind == Step::Kind::next) set_state(std::move(step.next), step.next_index);
  const bool changed = index_ != old_index;
  if ((changed || step.kind == Step::Kind::repeat) && !enter(old_index, step)) return false;

  cancel({TimeoutKey::Kind::event});
  if (changed) {
    cancel({TimeoutKey::Kind::state});
    // What was postponed comes again, in its order, before what is queued.
    queue_.insert(queue_.begin(), std::make_move_iterator(postponed_.begin()),
                  std::make_move_iterator(postponed_.end()));
    postponed_.clear();
  }
  apply_timeouts(std::move(step.timeouts));
  queue_.insert(queue_.begin(), std::make_move_iterator(step.events.begin()),
                std::make_move_iterator(step.events.end()));
  hibernates_ = step.hibernates;
  return true;
}

/// The enter call, again as long as it repeats the state; its actions join those of the step.
bool StatemCore::enter(std::size_t old_index, Step& step) {
  for (;;) {
    Step entered = run_enter_call(old_index);
    if (entered.postpones || !entered.events.empty()) {
      entered.kind = Step::Kind::stop;
      entered.reason = ExitReason::term("bad_state_enter_action");
    }
    if (entered.kind == Step::Kind::stop) {
      reason_ = std::move(entered.reason);
      return false;
    }
    std::ranges::move(entered.timeouts, std::back_inserter(step.timeouts));
    step.hibernates = step.hibernates || entered.hibernates;
    if (entered.kind != Step::Kind::repeat) return true;
    old_index = index_;
  }
}

void StatemCore::apply_timeouts(std::vector<TimeoutAction> actions) {
  // The last action of each timeout counts.
  std::set<TimeoutKey> seen;
  std::vector<TimeoutAction*> last;
  for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
    if (seen.insert(action->key).second) last.push_back(&*action);
  }
  for (TimeoutAction* action : last | std::views::reverse) {
    const auto running = timers_.find(action->key);
    if (action->act == TimeoutAction::Act::update && running != timers_.end()) {
      running->second.event = std::move(action->event);
      continue;
    }
    cancel(action->key);
    if (action->act == TimeoutAction::Act::cancel || action->after == infinity) continue;
    RunningTimer timer{Ref::none, ++serial_, std::move(action->event)};
    if (action->act == TimeoutAction::Act::update || action->after <= Duration::zero()) {
      zeros_.push_back(action->key);
    } else {
      timer.ref = send_after(action->after, self(), StatemTimer{action->key, timer.serial});
    }
    timers_.emplace(action->key, std::move(timer));
  }
}

/// One that has been sent already is told by its serial when it arrives.
void StatemCore::cancel(const TimeoutKey& key) {
  const auto timer = timers_.find(key);
  if (timer == timers_.end()) return;
  if (timer->second.ref != Ref::none) {
    cancel_timer(timer->second.ref);
  } else {
    std::erase(zeros_, key);
  }
  timers_.erase(timer);
}

}  // namespace coterie::detail
