#include "process/message_queue.hpp"

namespace coterie::detail {

void MessageQueue::push_front(MessagePtr message) noexcept {
  Message* raw = message.release();
  raw->next = first_;
  if (first_ == nullptr) last_ = raw;
  first_ = raw;
}

MessagePtr MessageQueue::pop_front() noexcept { return remove_after(nullptr); }

MessagePtr MessageQueue::remove_after(Message* previous) noexcept {
  Message* taken = previous == nullptr ? first_ : previous->next;
  if (taken == nullptr) return nullptr;
  ++removals_;
  (previous == nullptr ? first_ : previous->next) = taken->next;
  if (taken == last_) last_ = previous;
  taken->next = nullptr;
  return MessagePtr(taken);
}

void MessageQueue::clear() noexcept {
  while (!empty()) pop_front();
}

}  // namespace coterie::detail
