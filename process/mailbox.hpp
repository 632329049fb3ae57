#pragma once
// The lane through which everything reaches a process: messages, answers, signals, in one order per
// sender. Any thread pushes with one compare-and-swap; the process's owner takes all at once. The
// same word says whether the process rests, so the push that finds it resting is the one that must
// schedule it, and whoever claims it owns it. Idea: the "blocked" tag in CAF's mailbox.
//
// The word: the newest message's address in the upper 48 bits; then how many of the waiting
// messages are counted, 21 bits; in bit 0, whether the process rests, which is only when it is
// empty. Messages begin cache lines and user space has 47 bits, so no bit of the address is lost.

#include <atomic>
#include <cstdint>

#include <coterie/detail/message.hpp>

namespace coterie::detail {

class Mailbox {
 public:
  static constexpr std::uint32_t counted_max = (1u << 21) - 1;
  static constexpr std::uint32_t moving = 1u << 31;  // in `taken`

  struct Pushed {
    bool accepted;
    bool was_resting;       // the caller owns the process now, and schedules it
    std::uint32_t counted;  // waiting, with this one
  };

  // ---- any thread
  /// What is not counted is always accepted.
  Pushed push(Message& message) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (!replace(word, message, count_of(word))) {
    }
    return {true, (word & resting) != 0, count_of(word)};
  }
  /// Refused when more than `limit` counted messages would wait, here and in `taken`, also while
  /// the owner takes them over. Exact for one sender; of several, one that sleeps between its two
  /// readings while others fill the mailbox and the owner empties it may pass the limit by one.
  Pushed push(Message& message, std::uint32_t limit,
              const std::atomic<std::uint32_t>& taken) noexcept {
    // Acquire pairs with take(): a word from after it shows `taken` moving, or moved.
    std::uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      const std::uint32_t held = taken.load(std::memory_order_acquire);
      const std::uint32_t counted = count_of(word) + 1;
      if ((held & moving) == 0) {
        if (held + counted <= limit) {
          if (replace(word, message, counted)) {
            return {true, (word & resting) != 0, held + counted};
          }
          continue;
        }
        // Unless they were taken over between the two readings, and counted twice.
        if (word_.load(std::memory_order_acquire) == word) {
          return {false, false, held + counted};
        }
      }
      word = word_.load(std::memory_order_acquire);
    }
  }
  /// Makes the caller the owner of a resting process.
  bool claim() noexcept {
    std::uint64_t word = resting;
    // Acquire pairs with the release of rest().
    return word_.load(std::memory_order_relaxed) == resting &&
           word_.compare_exchange_strong(word, 0, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  bool empty() const noexcept { return (word_.load(std::memory_order_relaxed) & ~resting) == 0; }
  /// Counted messages that wait.
  std::uint32_t counted() const noexcept { return count_of(word_.load(std::memory_order_relaxed)); }

  // ---- the owner
  /// All messages, the oldest first. `taken` grows by the counted ones; `moving` is set in it
  /// meanwhile, so that no sender believes that they are nowhere.
  Message* take(std::atomic<std::uint32_t>& taken) noexcept {
    const std::uint32_t held = taken.load(std::memory_order_relaxed);
    taken.store(held | moving, std::memory_order_relaxed);
    // Acquire pairs with the releases of push(); release with its acquires.
    const std::uint64_t word = word_.exchange(0, std::memory_order_acq_rel);
    taken.store(held + count_of(word), std::memory_order_release);
    Message* list = nullptr;
    for (Message* message = message_of(word); message != nullptr;) {
      Message* older = message->next;
      message->next = list;
      list = message;
      message = older;
    }
    return list;
  }
  /// Gives the process up. False: messages wait, the caller still owns it. After true it may be
  /// anybody's: nothing of the process may be touched.
  bool rest() noexcept {
    std::uint64_t word = 0;
    // Release: the next owner sees all that this one did.
    return word_.compare_exchange_strong(word, resting, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

 private:
  bool replace(std::uint64_t& word, Message& message, std::uint32_t counted) noexcept {
    message.next = message_of(word);
    // Release: take() sees the message's contents. Acquire: who finds the process resting sees
    // what its last owner did before rest(), and passes it on to the worker that runs it.
    return word_.compare_exchange_weak(word, pack(&message, counted), std::memory_order_acq_rel,
                                       std::memory_order_acquire);
  }

  static constexpr std::uint64_t resting = 1;
  static constexpr int address_shift = 16;
  static constexpr std::uint64_t low_bits = (std::uint64_t{1} << 22) - 1;
  static_assert(Message::slot_bytes == std::uint64_t{1} << (22 - address_shift));

  static Message* message_of(std::uint64_t word) noexcept {
    return reinterpret_cast<Message*>((word & ~low_bits) >> address_shift);
  }
  static std::uint32_t count_of(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>((word & low_bits) >> 1);
  }
  static std::uint64_t pack(Message* message, std::uint32_t counted) noexcept {
    return reinterpret_cast<std::uintptr_t>(message) << address_shift | std::uint64_t{counted} << 1;
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace coterie::detail
