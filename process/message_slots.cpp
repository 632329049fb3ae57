#include "process/message_slots.hpp"

#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include <coterie/detail/message.hpp>

#include "process/sanitizers.hpp"
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

constexpr std::uint32_t magazine_slots = 128;
constexpr std::size_t slab_magazines = 8;

struct Slot {
  Slot* next;
  Slot* next_magazine;  // of the first slot of a full magazine
};

/// Full magazines that no thread holds.
class Depot {
 public:
  explicit constexpr Depot(unsigned slots) noexcept : bytes_(slots * slot_bytes) {}

  Slot* take() {
    {
      std::lock_guard guard(lock_);
      if (first_ != nullptr) return std::exchange(first_, first_->next_magazine);
    }
    const std::size_t bytes = slab_magazines * magazine_slots * bytes_;
    auto* slab = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{slot_bytes}));
    for (std::size_t m = 1; m < slab_magazines; ++m) give(fill(slab, m));
    return fill(slab, 0);
  }

  void give(Slot* magazine) noexcept {
    std::lock_guard guard(lock_);
    magazine->next_magazine = std::exchange(first_, magazine);
  }

  /// The rest of a magazine, from a thread that ends.
  void give_loose(Slot* slots) noexcept {
    std::lock_guard guard(lock_);
    while (slots != nullptr) {
      Slot* slot = std::exchange(slots, slots->next);
      slot->next = std::exchange(loose_, slot);
      if (++loose_count_ < magazine_slots) continue;
      loose_count_ = 0;
      loose_->next_magazine = first_;
      first_ = std::exchange(loose_, nullptr);
    }
  }

 private:
  Slot* fill(std::byte* slab, std::size_t magazine) const noexcept {
    std::byte* const begin = slab + magazine * magazine_slots * bytes_;
    Slot* first = nullptr;
    for (std::size_t i = magazine_slots; i-- > 0;) {
      first = new (begin + i * bytes_) Slot{first, nullptr};
    }
    return first;
  }

  const std::size_t bytes_;
  SpinLock lock_;
  Slot* first_ = nullptr;
  Slot* loose_ = nullptr;
  std::uint32_t loose_count_ = 0;
};

constinit Depot depots[Message::slots_max] = {Depot(1), Depot(2), Depot(3)};

/// A thread's own: one magazine in use, one full or none, so that a thread at the border of a
/// magazine does not go to the depot each time.
struct Cache {
  Slot* first = nullptr;
  std::uint32_t count = 0;
  Slot* full = nullptr;
};
constinit thread_local Cache caches[Message::slots_max];

/// Gives the thread's slots away when it ends.
struct Leaver {
  ~Leaver() {
    for (unsigned i = 0; i < Message::slots_max; ++i) {
      if (caches[i].full != nullptr) depots[i].give(caches[i].full);
      depots[i].give_loose(caches[i].first);
      caches[i] = {};
    }
  }
  void arrive() noexcept {}
};
thread_local Leaver leaver;

[[gnu::noinline]] void refill(unsigned slots) {
  leaver.arrive();
  Cache& cache = caches[slots - 1];
  cache.first =
      cache.full != nullptr ? std::exchange(cache.full, nullptr) : depots[slots - 1].take();
  cache.count = magazine_slots;
}

[[gnu::noinline]] void spill(unsigned slots) noexcept {
  leaver.arrive();
  Cache& cache = caches[slots - 1];
  if (cache.full != nullptr) depots[slots - 1].give(cache.full);
  cache.full = std::exchange(cache.first, nullptr);
  cache.count = 0;
}

void* take(unsigned slots) {
  Cache& cache = caches[slots - 1];
  if (cache.count == 0) refill(slots);
  --cache.count;
  return std::exchange(cache.first, cache.first->next);
}

void give(void* memory, unsigned slots) noexcept {
  Cache& cache = caches[slots - 1];
  if (cache.count == magazine_slots) spill(slots);
  cache.first = new (memory) Slot{cache.first, nullptr};
  ++cache.count;
}

#endif

}  // namespace

void* take_message_slots(unsigned slots) { return take(slots); }
void give_message_slots(void* memory, unsigned slots) noexcept { give(memory, slots); }

}  // namespace coterie::detail
