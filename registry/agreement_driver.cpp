#include "registry/agreement_driver.hpp"

namespace coterie {

AgreementDriver::AgreementDriver(const Clock& clock, Executor& executor, AgreementEvents& events,
                                 std::function<void(std::string_view)> notice,
                                 std::string blocking_name)
    : clock_(clock),
      events_(events),
      notice_(std::move(notice)),
      lease_end_(Time::min().time_since_epoch().count()),
      logic_(executor.make_strand("agreement")),
      blocking_(executor.make_strand(std::move(blocking_name))) {}

void AgreementDriver::stop() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  blocking_.reset();
  logic_.reset();
}

std::shared_ptr<const View> AgreementDriver::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

NodeState AgreementDriver::state() const {
  const NodeState state = state_.load(std::memory_order_acquire);
  // The timer that says so may be late; the gate is not.
  return state == NodeState::active && clock_.now() >= lease_end() ? NodeState::frozen : state;
}

Time AgreementDriver::lease_end() const noexcept {
  return Time(Duration(lease_end_.load(std::memory_order_acquire)));
}

std::optional<Departure> AgreementDriver::departure() const {
  std::lock_guard lock(mutex_);
  return departure_;
}

void AgreementDriver::to_logic(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) logic_->post(std::move(job));
}

void AgreementDriver::to_blocking(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) blocking_->post(std::move(job));
}

void AgreementDriver::to_blocking_at(Time at, Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) blocking_->post_at(at, std::move(job));
}

void AgreementDriver::carry_out(AgreementActions::InstallView& action) {
  {
    std::lock_guard lock(mutex_);
    view_ = action.view;
  }
  events_.view_installed(std::move(action.view));
}

void AgreementDriver::carry_out(AgreementActions::SetLeaseEnd& action) {
  lease_end_.store(action.end.time_since_epoch().count(), std::memory_order_release);
}

void AgreementDriver::carry_out(AgreementActions::ChangeState& action) {
  state_.store(action.state, std::memory_order_release);
  events_.state_changed(action.state, action.why);
}

void AgreementDriver::carry_out(AgreementActions::SetTimer& action) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  logic_->post_at(action.at, [this, number = ++timer_] {
    if (number == timer_) tick();
  });
}

void AgreementDriver::carry_out(AgreementActions::Depart& action) {
  std::lock_guard lock(mutex_);
  departure_ = std::move(action.departure);
}

void AgreementDriver::say(std::string_view text) const {
  if (notice_) notice_(text);
}

}  // namespace coterie
