#pragma once
// The messages that a process has taken out of its mailbox and not yet handled, in their order;
// receive() takes them from the middle too. Owned by whoever owns the process.

#include <cstdint>

#include <coterie/detail/message.hpp>

namespace coterie::detail {

/// A FIFO of messages, owned by one thread.
class MessageQueue {
 public:
  MessageQueue() = default;
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  ~MessageQueue() { clear(); }
  void push_back(MessagePtr message) noexcept {
    Message* raw = message.release();
    raw->next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = raw;
    last_ = raw;
  }
  MessagePtr pop_front() noexcept;
  Message* front() const noexcept { return first_; }
  void push_front(MessagePtr message) noexcept;
  /// Removes the message after `previous` (nullptr: the first one).
  MessagePtr remove_after(Message* previous) noexcept;
  void clear() noexcept;
  bool empty() const noexcept { return first_ == nullptr; }
  /// Grows with each removal: a pointer to a message of the queue is good while it stays.
  std::uint32_t removals() const noexcept { return removals_; }

 private:
  Message* first_ = nullptr;
  Message* last_ = nullptr;
  std::uint32_t removals_ = 0;
};

}  // namespace coterie::detail
