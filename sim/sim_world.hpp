#pragma once
// The simulated world: one thread, virtual time, and a seed that decides who goes next. Everything
// that would have a thread of its own (workers, strands, blocking jobs, the network) is an item
// here; step() runs one that is ready, chosen at random, and when none is, time jumps to the next
// moment at which one will be. The same seed gives the same run: `digest` covers every choice.
// Idea: FoundationDB's simulator. Owned by the test; single-threaded; outlives every executor.

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <coterie/time.hpp>

#include "process/fiber.hpp"
#include "process/seeded_random.hpp"
#include "sim/sim_agenda.hpp"
#include "sim/sim_jobs.hpp"

namespace coterie::sim {

class SimThread;

/// Virtual time: it moves only when nothing can run, or something never stops to.
class SimClock final : public Clock {
 public:
  Time now() const noexcept override { return now_; }
  WallTime wall() const noexcept override {
    return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()));
  }

 private:
  friend class SimWorld;
  Time now_{std::chrono::seconds(1)};
};

class SimWorld {
 public:
  using Job = SimJobs::Job;

  explicit SimWorld(std::uint64_t seed);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  const SimClock& clock() const noexcept { return clock_; }
  Time now() const noexcept { return clock_.now(); }
  SeededRandom& random() noexcept { return random_; }

  void add(SimItem& item) { agenda_.add(item); }
  void remove(SimItem& item) { agenda_.remove(item); }
  /// Must be told whenever an item's ready() or next() may have changed by anything but time and
  /// its own run().
  void changed(SimItem& item) { agenda_.changed(item); }
  /// Likewise, of a node's clock, or of many items.
  void all_changed() { agenda_.all_changed(); }
  /// Jobs of one moment run in posting order.
  void post_at(Time at, Job job);

  /// Runs one ready item, or moves time to the next one, at most to `until`. False: nothing will
  /// ever happen by itself before `until`.
  bool step(Time until = Time::max());
  void run_until(Time end);
  void run_for(Duration duration) { run_until(after(now(), duration)); }
  /// Runs until `ready()`; false when `limit` of virtual time passes first.
  bool run_until(const std::function<bool()>& ready, Duration limit);

  /// The simulated thread that runs now; null: the world's own.
  SimThread* thread() const noexcept { return thread_; }
  /// One that is idle, until it is given back.
  std::unique_ptr<SimThread> take_thread();
  void give_back(std::unique_ptr<SimThread> thread);
  /// Called after each step, on the world's own stack.
  void set_checker(std::function<void()> checker) { checker_ = std::move(checker); }

  /// Joins what happened to the digest of this run.
  void note(std::string_view what) noexcept;
  void note(std::uint64_t what) noexcept;
  std::uint64_t digest() const noexcept { return digest_; }
  std::uint64_t steps() const noexcept { return steps_; }

 private:
  friend class SimThread;

  detail::Fiber root_;
  SimThread* thread_ = nullptr;
  std::vector<std::unique_ptr<SimThread>> idle_threads_;
  std::function<void()> checker_;
  SimClock clock_;
  SeededRandom random_;
  SimAgenda agenda_;
  SimJobs events_;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_of_moment_ = 0;
  std::uint64_t digest_ = 14695981039346656037ull;
};

}  // namespace coterie::sim
