#pragma once
// The Executor of one simulated node: its workers, strands and blocking jobs are items of the
// world, run on the world's one thread. wait() runs the world meanwhile, so an attached thread of a
// simulated node works as on a real one. freeze() is SIGSTOP: nothing of the node runs, time goes
// on. Owned by the test beside its Runtime; it outlives the runtime and its strands.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "process/ports/executor.hpp"
#include "sim/sim_world.hpp"

namespace coterie::sim {

class SimExecutor final : public Executor {
 public:
  explicit SimExecutor(SimWorld& world);
  ~SimExecutor() override;

  std::unique_ptr<Strand> make_strand(std::string name) override;
  /// The job runs at a moment of its own within the next `blocking_time_max`.
  void run_blocking(std::move_only_function<void()> job) override;
  void add(Runnable& runnable, std::string name) override;
  bool remove(Runnable& runnable, Time until) override;
  void wake(Runnable& runnable) override;
  /// A wait that nothing can ever end is an error of the test: std::logic_error.
  void wait(const void* key, const std::function<bool()>& ready, Time until) override;
  void notify(const void*) override {}

  void freeze(bool frozen) noexcept { frozen_ = frozen; }
  bool frozen() const noexcept { return frozen_; }

  /// What a worker that never runs out of work has used when it comes back.
  Duration busy_time = std::chrono::milliseconds(32);
  Duration blocking_time_max = std::chrono::milliseconds(2);

 private:
  class SimStrand;
  class Slot;
  class Blocking;

  SimWorld& world_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<Blocking> blocking_;
  bool frozen_ = false;
};

}  // namespace coterie::sim
