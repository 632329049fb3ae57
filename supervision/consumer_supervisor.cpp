#include <coterie/consumer_supervisor.hpp>

#include "supervision/dynamic_supervisor_state.hpp"

namespace coterie::detail {
namespace {

DynamicSupervisorOptions supervisor_options(const ConsumerSupervisorOptions& options) {
  DynamicSupervisorOptions same;
  same.name = options.name;
  same.max_restarts = options.max_restarts;
  same.max_seconds = options.max_seconds;
  return same;
}

}  // namespace

EventChildren::EventChildren(const ConsumerSupervisorOptions& options)
    : state_(std::make_unique<DynamicSupervisorState>(supervisor_options(options))),
      origins_(std::make_shared<std::map<Pid, Ref>>()) {}
EventChildren::~EventChildren() = default;

void EventChildren::subscribed(const GenStage::Subscription& producer,
                               const GenStage::Subscribe& options) {
  const std::size_t min = options.min_demand.value_or(options.max_demand / 2);
  producers_[producer.tag] = {producer, {min, 0}};
  GenStage::ask(producer, options.max_demand);
}

void EventChildren::cancelled(const GenStage::Subscription& producer) {
  producers_.erase(producer.tag);
}

void EventChildren::start(ChildSpec spec, const GenStage::Subscription& producer) {
  // Each start notes the pid, restarts too.
  spec.start = [start = std::move(spec.start), origins = origins_,
                tag = producer.tag]() -> StartResult {
    StartResult started = start();
    if (started) origins->insert_or_assign(*started, tag);
    return started;
  };
  if (!state_->start_child(std::move(spec))) one_less(producer.tag);
}

bool EventChildren::exited(const Pid& child, const ExitReason& reason) {
  const std::size_t before = state_->size();
  const bool alive = state_->child_exited(child, reason);
  note_ends(before, child);
  return alive;
}

bool EventChildren::try_again(const Pid& child) {
  const std::size_t before = state_->size();
  const bool alive = state_->try_again(child);
  note_ends(before, child);
  return alive;
}

ChildResult<void> EventChildren::terminate(const Pid& child) {
  const std::size_t before = state_->size();
  auto result = state_->terminate_child(child);
  note_ends(before, child);
  return result;
}

std::vector<ChildInfo> EventChildren::which() const { return state_->which_children(); }
ChildCount EventChildren::count() const { return state_->count_children(); }
std::string EventChildren::status_text() const { return state_->status_text(); }
void EventChildren::stop_all() { state_->stop_all(); }

/// A child that was not started again makes room for an event of its producer. One that waits for
/// its next try is still there, under its old pid; one that was started again has another.
void EventChildren::note_ends(std::size_t before, const Pid& child) {
  if (state_->has(child)) return;
  const auto origin = origins_->find(child);
  if (origin == origins_->end()) return;
  const Ref producer = origin->second;
  if (state_->size() < before) one_less(producer);
  origins_->erase(child);
}

void EventChildren::one_less(Ref tag) {
  const auto found = producers_.find(tag);
  if (found == producers_.end()) return;
  auto& [subscription, producer] = found->second;
  if (++producer.ended < std::max<std::size_t>(1, producer.min)) return;
  GenStage::ask(subscription, std::exchange(producer.ended, 0));
}

}  // namespace coterie::detail
