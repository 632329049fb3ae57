#pragma once
// A simulated thread: a job that may block, on a stack of its own. It runs on the world's one real
// thread from one wait to the next; who it belongs to (a strand, a pool, a node's main thread) is
// the item of the world that begins and resumes it. So code that blocks (the start and stop of a
// node, a statement of its store) runs unchanged. Kept and reused by the world.

#include <memory>

#include <coterie/time.hpp>

#include "process/context.hpp"
#include "process/fiber.hpp"
#include "sim/sim_world.hpp"

namespace coterie::sim {

class SimThread {
 public:
  using Job = SimWorld::Job;

  explicit SimThread(SimWorld& world);
  SimThread(const SimThread&) = delete;
  SimThread& operator=(const SimThread&) = delete;
  ~SimThread();

  /// From outside of any simulated thread: runs until the job ends or waits.
  void begin(Job job);
  void resume();
  /// The job has ended.
  bool idle() const noexcept { return !busy_; }

  /// From inside: gives the world its turn until somebody resumes it.
  void yield();

  // What it waits for, told by whoever makes it wait.
  const void* key = nullptr;
  Time until = Time::max();  // on the clock of its node
  bool notified = false;

 private:
  static void entry(void* self);
  void enter();

  SimWorld& world_;
  detail::Fiber fiber_;
  detail::Process* process_ = nullptr;  // that it runs as, while it waits
  Job job_;
  bool busy_ = false;
};

}  // namespace coterie::sim
