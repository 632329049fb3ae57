// Memory for messages. Those of up to 64, 128 or 192 bytes, which most are, begin a cache line and
// are reused last-in first-out; they move between threads in magazines, so that neither a sender
// nor a receiver on another thread takes a lock for each message. Idea: Bonwick's magazines (USENIX
// 2001). What was once taken from the system is kept for the next flood: a mailbox's bound is its
// bound. Larger messages come from the heap.

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include <coterie/detail/message.hpp>

#include "process/sanitizers.hpp"
#include "process/slab.hpp"
#include "process/spin_lock.hpp"

namespace coterie::detail {
namespace {

constexpr std::size_t slot_bytes = Message::slot_bytes;

#ifdef COTERIE_ASAN

// So that the sanitizer sees each use after the end of a message.
void* take(unsigned slots) {
  const std::size_t bytes = slots * slot_bytes;
  return ::operator new (bytes, std::align_val_t{slot_bytes});
}
void give(void* memory, unsigned) noexcept {
  ::operator delete (memory, std::align_val_t{slot_bytes});
}

#else

// A free slot that leads a group of seven: so that a whole magazine is read with a few cache
// misses, one after another, and not with one for each slot, as a list of all of them would be.
constexpr std::uint32_t group_slots = 7;
constexpr std::uint32_t groups = 16;
constexpr std::uint32_t magazine_slots = group_slots * groups;
// A node with a flood of messages has them in huge pages: slots that have been scattered are then
// still found without a walk through the page tables.
constexpr std::size_t small_slab = 128u << 10;
constexpr std::size_t large_slab = 2u << 20;
constexpr unsigned small_slabs = 8;

struct Leader {
  Leader* next;           // in the magazine
  Leader* next_magazine;  // of the first one
  std::array<void*, group_slots - 1> others;
};
static_assert(sizeof(Leader) <= slot_bytes);

/// Full magazines that no thread holds.
class Depot {
 public:
  explicit constexpr Depot(unsigned slots) noexcept : bytes_(slots * slot_bytes) {}

  /// Writes `magazine_slots` free slots.
  void take(void** slots) {
    if (Leader* first = take_magazine()) {
      for (; first != nullptr; first = first->next) {
        slots = std::ranges::copy(first->others, slots).out;
        *slots++ = first;
      }
      return;
    }
    // The last one is what the caller takes first: slots of a slab are used in their order.
    std::byte* slot = take_new();
    for (std::size_t i = magazine_slots; i-- > 0; slot += bytes_) slots[i] = slot;
  }

  /// Takes over `magazine_slots` slots.
  void give(void* const* slots) noexcept {
    Leader* first = nullptr;
    for (std::uint32_t g = groups; g-- > 0;) {
      void* const* const group = slots + std::size_t{g} * group_slots;
      first = new (group[group_slots - 1]) Leader{first, nullptr, {}};
      std::copy_n(group, group_slots - 1, first->others.begin());
    }
    std::lock_guard guard(lock_);
    first->next_magazine = std::exchange(first_, first);
  }

  /// What is left of a magazine, from a thread that ends.
  void give_loose(void* const* slots, std::uint32_t count) noexcept {
    for (std::uint32_t i = 0; i < count; ++i) {
      std::unique_lock guard(lock_);
      loose_[loose_count_++] = slots[i];
      if (loose_count_ < magazine_slots) continue;
      const auto full = loose_;
      loose_count_ = 0;
      guard.unlock();
      give(full.data());
    }
  }

 private:
  /// Memory for a magazine that nobody has touched.
  std::byte* take_new() {
    const std::size_t magazine_bytes = magazine_slots * bytes_;
    std::unique_lock guard(lock_);
    while (slab_left_ < magazine_bytes) {
      const std::size_t bytes = slabs_ < small_slabs ? small_slab : large_slab;
      guard.unlock();
      auto* const slab = static_cast<std::byte*>(take_slab(bytes));
      guard.lock();
      if (slab_left_ >= magazine_bytes) {  // another thread was faster
        guard.unlock();
        give_slab(slab, bytes);
        guard.lock();
        continue;
      }
      slab_ = slab;
      slab_left_ = bytes;
      ++slabs_;
    }
    slab_left_ -= magazine_bytes;
    return std::exchange(slab_, slab_ + magazine_bytes);
  }

  Leader* take_magazine() noexcept {
    std::lock_guard guard(lock_);
    return first_ == nullptr ? nullptr : std::exchange(first_, first_->next_magazine);
  }

  const std::size_t bytes_;
  SpinLock lock_;
  std::byte* slab_ = nullptr;
  std::size_t slab_left_ = 0;
  unsigned slabs_ = 0;
  Leader* first_ = nullptr;
  std::array<void*, magazine_slots> loose_{};
  std::uint32_t loose_count_ = 0;
};

constinit Depot depots[Message::slots_max] = {Depot(1), Depot(2), Depot(3)};

/// A thread's own: two magazines, so that a thread at the border of one does not go to the depot
/// each time. Addresses beside each other, not a list through the slots: to take one does not need
/// the memory of the next, which may be in no cache.
struct Cache {
  std::uint32_t count = 0;
  std::array<void*, magazine_slots * 2> slots{};
};
constinit thread_local Cache caches[Message::slots_max];

/// Gives the thread's slots away when it ends.
struct Leaver {
  ~Leaver() {
    for (unsigned i = 0; i < Message::slots_max; ++i) {
      depots[i].give_loose(caches[i].slots.data(), std::exchange(caches[i].count, 0));
    }
  }
  void arrive() noexcept {}
};
thread_local Leaver leaver;

[[gnu::noinline]] void refill(unsigned slots) {
  leaver.arrive();
  Cache& cache = caches[slots - 1];
  depots[slots - 1].take(cache.slots.data());
  cache.count = magazine_slots;
}

/// The older half goes.
[[gnu::noinline]] void spill(unsigned slots) noexcept {
  leaver.arrive();
  Cache& cache = caches[slots - 1];
  depots[slots - 1].give(cache.slots.data());
  std::copy_n(cache.slots.begin() + magazine_slots, magazine_slots, cache.slots.begin());
  cache.count = magazine_slots;
}

inline void* take(unsigned slots) {
  Cache& cache = caches[slots - 1];
  if (cache.count == 0) [[unlikely]]
    refill(slots);
  void* const taken = cache.slots[--cache.count];
  // For the one after the next: a store that finds its line is not waited for.
  if (cache.count > 1) __builtin_prefetch(cache.slots[cache.count - 2], 1);
  return taken;
}

inline void give(void* memory, unsigned slots) noexcept {
  Cache& cache = caches[slots - 1];
  if (cache.count == cache.slots.size()) [[unlikely]]
    spill(slots);
  cache.slots[cache.count++] = memory;
}

#endif

// Every message begins a cache line: the mailbox keeps its count in the address's low bits.
constexpr std::align_val_t alignment{slot_bytes};

}  // namespace

void* allocate_message(std::size_t bytes) {
  if (bytes <= slot_bytes) return take(1);
  if (bytes <= slot_bytes * 2) return take(2);
  if (bytes <= slot_bytes * 3) return take(3);
  return ::operator new(bytes, alignment);
}

void free_message(Message* message) noexcept {
  if (message == nullptr) return;
  if (message->type != nullptr && message->type->destroy != nullptr) {
    message->type->destroy(message->payload());
  }
  const unsigned slots = message->slots();
  message->~Message();
  if (slots != 0) {
    give(message, slots);
  } else {
    ::operator delete(static_cast<void*>(message), alignment);
  }
}

}  // namespace coterie::detail
