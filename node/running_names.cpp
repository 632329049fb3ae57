#include "node/running_names.hpp"

#include <algorithm>
#include <cstring>

namespace coterie {

std::optional<std::size_t> RunningNameTable::claim() noexcept {
  const std::uint32_t first = next_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < slots_max; ++i) {
    const std::size_t slot = (first + i) % slots_max;
    std::uint32_t free = 0;
    if (slots_[slot].claimed.load(std::memory_order_relaxed) == 0 &&
        slots_[slot].claimed.compare_exchange_strong(free, 1, std::memory_order_acq_rel)) {
      return slot;
    }
  }
  overflow_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void RunningNameTable::release(std::size_t slot) noexcept {
  // Release pairs with the acquire of the next claim().
  slots_[slot].claimed.store(0, std::memory_order_release);
}

void RunningNameTable::enter(std::size_t slot, std::string_view name) noexcept {
  if (name.size() > name_bytes_max) {
    overflow_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  Slot& mine = slots_[slot];
  // Acquire: the words below are not written before the sequence is odd.
  mine.sequence.fetch_add(1, std::memory_order_acq_rel);
  for (std::size_t at = 0; at < name.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, name.data() + at, std::min<std::size_t>(8, name.size() - at));
    mine.words[at / 8].store(word, std::memory_order_relaxed);
  }
  mine.length.store(static_cast<std::uint32_t>(name.size()), std::memory_order_relaxed);
  // Release: nor is it even before they are written.
  mine.sequence.fetch_add(1, std::memory_order_release);
}

void RunningNameTable::leave(std::size_t slot) noexcept {
  slots_[slot].length.store(0, std::memory_order_release);
}

std::vector<std::string> RunningNameTable::names() const {
  std::vector<std::string> found;
  std::string name;
  for (const Slot& slot : slots_) {
    for (int attempt = 0; attempt < 4; ++attempt) {
      const std::uint32_t before = slot.sequence.load(std::memory_order_acquire);
      const std::size_t length = slot.length.load(std::memory_order_relaxed);
      if (before % 2 != 0 || length == 0 || length > name_bytes_max) break;
      name.resize(length);
      for (std::size_t at = 0; at < length; at += 8) {
        // Acquire: the sequence below is not read before the words.
        const std::uint64_t word = slot.words[at / 8].load(std::memory_order_acquire);
        std::memcpy(name.data() + at, &word, std::min<std::size_t>(8, length - at));
      }
      if (slot.sequence.load(std::memory_order_relaxed) != before) continue;
      found.push_back(name);
      break;
    }
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::uint64_t RunningNameTable::overflow() const noexcept {
  return overflow_.load(std::memory_order_relaxed);
}

}  // namespace coterie
