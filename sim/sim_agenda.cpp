#include "sim/sim_agenda.hpp"

#include <algorithm>
#include <bit>

namespace coterie::sim {
namespace {
constexpr std::size_t word_bits = 64;
// A node's clock that runs at a rate of its own may show a moment so much before next(), which
// rounds up.
constexpr Duration rounding = std::chrono::nanoseconds(2);
}  // namespace

void SimAgenda::add(SimItem& item) {
  items_.push_back(&item);
  renumber();
}

void SimAgenda::remove(SimItem& item) {
  std::erase(items_, &item);
  renumber();
}

void SimAgenda::changed(SimItem& item) {
  if (item.changed_) return;
  item.changed_ = true;
  changed_.push_back(&item);
}

void SimAgenda::all_changed() {
  for (SimItem* item : items_) changed(*item);
}

// Items come and go with their nodes, seldom.
void SimAgenda::renumber() {
  changed_.clear();
  bits_.assign((items_.size() + word_bits - 1) / word_bits, 0);
  ready_ = 0;
  width_ = std::bit_ceil(std::max<std::size_t>(items_.size(), 1));
  moments_.assign(2 * width_, Time::max());
  for (std::size_t i = 0; i < items_.size(); ++i) {
    items_[i]->place_ = i;
    items_[i]->changed_ = false;
    changed(*items_[i]);
  }
}

void SimAgenda::refresh(Time now) {
  const Time due = after(now, rounding);
  if (next() <= due) collect_due(1, due);
  // Looking changes nothing, so nothing joins meanwhile.
  for (SimItem* item : changed_) {
    item->changed_ = false;
    look_at(*item);
  }
  changed_.clear();
}

void SimAgenda::look_at(const SimItem& item) {
  const bool ready = !item.running_ && item.ready();
  std::uint64_t& word = bits_[item.place_ / word_bits];
  const std::uint64_t bit = std::uint64_t{1} << item.place_ % word_bits;
  if (((word & bit) != 0) != ready) {
    word ^= bit;
    ready_ += ready ? 1 : std::size_t(0) - 1;
  }
  set_moment(item.place_, ready || item.running_ ? Time::max() : item.next());
}

void SimAgenda::set_moment(std::size_t place, Time at) noexcept {
  std::size_t node = width_ + place;
  if (moments_[node] == at) return;
  moments_[node] = at;
  while (node > 1) {
    node /= 2;
    const Time least = std::min(moments_[2 * node], moments_[2 * node + 1]);
    if (moments_[node] == least) return;
    moments_[node] = least;
  }
}

void SimAgenda::collect_due(std::size_t node, Time now) {
  if (moments_[node] > now) return;
  if (node >= width_) return changed(*items_[node - width_]);
  collect_due(2 * node, now);
  collect_due(2 * node + 1, now);
}

SimItem& SimAgenda::pick(std::size_t before) const noexcept {
  std::size_t word = 0;
  for (;; ++word) {
    const auto count = static_cast<std::size_t>(std::popcount(bits_[word]));
    if (before < count) break;
    before -= count;
  }
  std::uint64_t bits = bits_[word];
  for (; before > 0; --before) bits &= bits - 1;
  return *items_[word * word_bits + static_cast<std::size_t>(std::countr_zero(bits))];
}

}  // namespace coterie::sim
