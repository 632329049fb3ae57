#include "sim/sim_world.hpp"

#include <algorithm>
#include <stdexcept>

#include "sim/sim_thread.hpp"

namespace coterie::sim {
namespace {

// Workers that keep waking each other would hold time back for ever: so many steps take some.
constexpr std::uint64_t steps_of_moment_max = 100'000;
constexpr Duration endless_moment = std::chrono::milliseconds(100);

}  // namespace

SimWorld::SimWorld(std::uint64_t seed) : random_(seed) {}

SimWorld::~SimWorld() = default;

std::unique_ptr<SimThread> SimWorld::take_thread() {
  if (idle_threads_.empty()) return std::make_unique<SimThread>(*this);
  auto thread = std::move(idle_threads_.back());
  idle_threads_.pop_back();
  return thread;
}

void SimWorld::give_back(std::unique_ptr<SimThread> thread) {
  idle_threads_.push_back(std::move(thread));
}

void SimWorld::post_at(Time at, Job job) { events_.post(std::max(at, now()), std::move(job)); }

bool SimWorld::step(Time until) {
  if (thread_ != nullptr) throw std::logic_error("a simulated thread drives its own world");
  agenda_.refresh(now());
  const bool event = !events_.empty() && events_.next() <= now();
  const std::size_t ready = agenda_.ready();
  if (ready == 0 && !event) {
    const Time next = std::min(agenda_.next(), events_.next());
    if (next == Time::max() || next > until) return false;
    clock_.now_ = std::max(now(), next);
    steps_of_moment_ = 0;
    return true;
  }
  ++steps_;
  if (++steps_of_moment_ >= steps_of_moment_max) {
    clock_.now_ = std::min(after(now(), endless_moment), std::max(now(), until));
    steps_of_moment_ = 0;
  }
  const std::size_t choice = random_.below(ready + (event ? 1 : 0));
  SimItem* const item = choice < ready ? &agenda_.pick(choice) : nullptr;
  note(item != nullptr ? SimAgenda::place(*item) + 1 : 0);
  note(static_cast<std::uint64_t>(now().time_since_epoch().count()));
  if (item == nullptr) {
    events_.take()();
  } else {
    item->running_ = true;
    agenda_.changed(*item);
    item->run();
    // It may have been removed meanwhile, with its memory, only by its owner's own thread: not
    // here.
    item->running_ = false;
    agenda_.changed(*item);
  }
  if (checker_) checker_();
  return true;
}

void SimWorld::run_until(Time end) {
  while (now() < end && step(end)) {
  }
  // What is ready at `end` runs in the next call; nothing else is left before it.
  clock_.now_ = std::max(now(), end);
}

bool SimWorld::run_until(const std::function<bool()>& ready, Duration limit) {
  const Time end = after(now(), limit);
  while (!ready()) {
    if (now() >= end || !step(end)) return ready();
  }
  return true;
}

void SimWorld::note(std::string_view what) noexcept {
  for (const char c : what) {
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
}

void SimWorld::note(std::uint64_t what) noexcept {
  for (int i = 0; i < 8; ++i) digest_ = (digest_ ^ (what >> (8 * i) & 0xFF)) * 1099511628211ull;
}

}  // namespace coterie::sim
