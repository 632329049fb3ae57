#include "registry/store_agreement_driver.hpp"

#include <utility>

namespace coterie {

StoreAgreementDriver::StoreAgreementDriver(AgreementOptions options, Records& records,
                                           const Clock& clock, Executor& executor,
                                           AgreementEvents& events,
                                           std::function<void(std::string_view)> notice)
    : core_(std::move(options)),
      records_(records),
      clock_(clock),
      events_(events),
      notice_(std::move(notice)),
      lease_end_(Time::min().time_since_epoch().count()),
      logic_(executor.make_strand("agreement")),
      store_(executor.make_strand("agreement store")) {}

StoreAgreementDriver::~StoreAgreementDriver() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  store_.reset();
  logic_.reset();
}

void StoreAgreementDriver::start() { post_event(StoreAgreement::Start{}); }

std::shared_ptr<const View> StoreAgreementDriver::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

NodeState StoreAgreementDriver::state() const {
  const NodeState state = state_.load(std::memory_order_acquire);
  // The timer that says so may be late; the gate is not.
  return state == NodeState::active && clock_.now() >= lease_end() ? NodeState::frozen : state;
}

Time StoreAgreementDriver::lease_end() const noexcept {
  return Time(Duration(lease_end_.load(std::memory_order_acquire)));
}

std::optional<Departure> StoreAgreementDriver::departure() const {
  std::lock_guard lock(mutex_);
  return departure_;
}

void StoreAgreementDriver::confirm_death(std::string_view name, const Incarnation& incarnation) {
  post_event(StoreAgreement::ConfirmDeath{std::string(name), incarnation});
}
void StoreAgreementDriver::hint() { post_event(StoreAgreement::Hint{}); }
void StoreAgreementDriver::drain() { post_event(StoreAgreement::Drain{}); }
void StoreAgreementDriver::leave() { post_event(StoreAgreement::Leave{}); }
void StoreAgreementDriver::heard_peers(std::set<std::string> names) {
  post_event(StoreAgreement::Heard{std::move(names)});
}

void StoreAgreementDriver::post_event(StoreAgreement::Event event) {
  to_logic([this, event = std::move(event)] { step(event); });
}

void StoreAgreementDriver::to_logic(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) logic_->post(std::move(job));
}

void StoreAgreementDriver::to_store(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) store_->post(std::move(job));
}

void StoreAgreementDriver::step(const StoreAgreement::Event& event) {
  for (auto& action : core_.step(clock_.now(), event)) carry_out(action);
}

void StoreAgreementDriver::carry_out(StoreAgreement::Action& action) {
  if (auto* scan = std::get_if<StoreAgreement::ScanStore>(&action)) {
    to_store([this, id = scan->id, prefix = std::move(scan->prefix)] {
      const Time started = clock_.now();
      post_event(StoreAgreement::Scanned{id, started, records_.scan(prefix)});
    });
  } else if (auto* commit = std::get_if<StoreAgreement::CommitStore>(&action)) {
    to_store([this, id = commit->id, transaction = std::move(commit->transaction)] {
      StoreAgreement::Committed committed{id, clock_.now(), std::unexpected(StorageError{})};
      auto results = records_.commit({&transaction, 1});
      if (!results) {
        committed.result = std::unexpected(std::move(results.error()));
      } else if (results->size() == 1) {
        committed.result = std::move(results->front());
      }
      post_event(std::move(committed));
    });
  } else if (auto* install = std::get_if<StoreAgreement::InstallView>(&action)) {
    {
      std::lock_guard lock(mutex_);
      view_ = install->view;
    }
    events_.view_installed(std::move(install->view));
  } else if (auto* lease = std::get_if<StoreAgreement::SetLeaseEnd>(&action)) {
    lease_end_.store(lease->end.time_since_epoch().count(), std::memory_order_release);
  } else if (auto* state = std::get_if<StoreAgreement::ChangeState>(&action)) {
    state_.store(state->state, std::memory_order_release);
    events_.state_changed(state->state, state->why);
  } else if (auto* timer = std::get_if<StoreAgreement::SetTimer>(&action)) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    logic_->post_at(timer->at, [this, number = ++timer_] {
      if (number == timer_) step(StoreAgreement::Tick{});
    });
  } else if (auto* depart = std::get_if<StoreAgreement::Depart>(&action)) {
    std::lock_guard lock(mutex_);
    departure_ = std::move(depart->departure);
  } else if (auto* notice = std::get_if<StoreAgreement::Notice>(&action)) {
    if (notice_) notice_(notice->text);
  }
}

}  // namespace coterie
