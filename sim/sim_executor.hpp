#pragma once
// The Executor of one simulated node: its workers, strands, blocking jobs and plain threads are
// items of the world, run on the world's one real thread. Jobs run on simulated threads, so they
// may block: wait() parks them, and a plain caller's wait() runs the world meanwhile, so an
// attached thread works as on a real node. freeze() is SIGSTOP: nothing of the node runs, time goes
// on. Times are those of the node's own clock. Owned beside its Runtime; it outlives the runtime
// and its strands.

#include <memory>
#include <string>
#include <vector>

#include "process/ports/executor.hpp"
#include "sim/sim_clock.hpp"
#include "sim/sim_thread.hpp"
#include "sim/sim_world.hpp"

namespace coterie::sim {

class SimExecutor final : public Executor {
 public:
  /// `clock`: the node's, outlives the executor; null: the world's.
  explicit SimExecutor(SimWorld& world, const SimNodeClock* clock = nullptr);
  ~SimExecutor() override;

  std::unique_ptr<Strand> make_strand(std::string name) override;
  /// The job begins at a moment of its own within the next `blocking_time_max`.
  void run_blocking(std::move_only_function<void()> job) override;
  void add(Runnable& runnable, std::string name) override;
  bool remove(Runnable& runnable, Time until) override;
  void wake(Runnable& runnable) override;
  /// A wait that nothing can ever end is an error of the test: std::logic_error.
  void wait(const void* key, const std::function<bool()>& ready, Time until) override;
  void notify(const void* key) override;

  /// A plain thread of the node's: its main one.
  void run_thread(std::move_only_function<void()> job);
  /// Blocks the simulated thread that calls.
  void sleep_until(Time until);
  /// Likewise, by the world's time, whatever the node's clock does: what a disk takes.
  void sleep_world(Duration duration);

  Time now() const noexcept { return clock_ != nullptr ? clock_->now() : world_.now(); }
  void freeze(bool frozen) {
    frozen_ = frozen;
    world_.all_changed();
  }
  bool frozen() const noexcept { return frozen_; }
  bool stalled() const noexcept { return stalled_; }
  /// As freeze(), by the machine instead of a signal: a hypervisor, swapping.
  void stall(bool stalled) {
    stalled_ = stalled;
    world_.all_changed();
  }

  /// What a worker that never runs out of work has used when it comes back.
  Duration busy_time = std::chrono::milliseconds(32);
  Duration blocking_time_max = std::chrono::milliseconds(2);
  /// A slow node: so long it rests after each slice of work.
  Duration slice_rest{};

 private:
  class SimStrand;
  class Slot;
  class Pool;
  /// The thread of an item, while a job of it has begun and not ended.
  class Seat {
   public:
    Seat(SimExecutor& owner, SimItem& item) : owner_(owner), item_(item) {}
    ~Seat();
    bool taken() const noexcept { return thread_ != nullptr; }
    bool ready() const noexcept;  // taken, and its wait may be over
    Time next() const noexcept;   // of the world
    void begin(SimThread::Job job);
    void resume();
    bool waits_for(const void* key) const noexcept { return taken() && thread_->key == key; }
    void notify();

   private:
    void settle();
    SimExecutor& owner_;
    SimItem& item_;  // that begins and resumes it
    std::unique_ptr<SimThread> thread_;
  };

  Time world_time(Time at) const noexcept {
    return clock_ != nullptr ? clock_->world_time(at) : at;
  }

  SimWorld& world_;
  const SimNodeClock* const clock_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Seat*> seats_;  // that are taken
  std::unique_ptr<Pool> blocking_;
  std::unique_ptr<Pool> threads_;
  bool held() const noexcept { return frozen_ || stalled_; }
  bool frozen_ = false;
  bool stalled_ = false;
};

}  // namespace coterie::sim
