#pragma once
// The port to threads. Processes run on workers; everything else that needs a thread of its own
// (storage, agreement, timers of protocol drivers) runs as jobs on a Strand. The real executor
// backs both with threads, the simulated one with a single thread and virtual time.

#include <functional>
#include <memory>
#include <string>

#include <coterie/time.hpp>

namespace coterie {

/// Runs jobs one at a time, in the order they were posted; a job may block. Jobs posted for the
/// same moment run in posting order. The destructor waits for the running job and drops the rest;
/// it must not be called from one of the strand's own jobs.
class Strand {
 public:
  using Job = std::move_only_function<void()>;

  Strand() = default;
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  virtual ~Strand() = default;

  /// Any thread. Never blocks.
  virtual void post(Job job) = 0;
  /// Not before `at`. There is no cancel: a job checks whether it is still wanted.
  virtual void post_at(Time at, Job job) = 0;
};

/// Where an idle runnable's thread may sleep with its eyes open: what happens there is its work
/// too.
class Lookout {
 public:
  virtual ~Lookout() = default;
  /// Waits for news, rouse() or `until`, whichever is first. False, at once: another thread is
  /// there already.
  virtual bool sleep(Time until) = 0;
  /// Whoever sleeps there wakes, or does not fall asleep. Any thread.
  virtual void rouse() noexcept = 0;
};

/// Something that runs in slices on one thread at a time: a worker of processes.
class Runnable {
 public:
  virtual ~Runnable() = default;
  /// Asked by its thread after each run(); null: it just sleeps.
  virtual Lookout* lookout() noexcept { return nullptr; }
  /// Runs until there is nothing to do and returns the moment of its next timer (Time::max():
  /// none).
  virtual Time run() = 0;
};

class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  virtual std::unique_ptr<Strand> make_strand(std::string name) = 0;
  /// Runs `job` on some thread that may block, in no particular order. Bounded number of threads.
  virtual void run_blocking(std::move_only_function<void()> job) = 0;

  /// Starts to run `runnable` on a thread of its own; it stays until remove() returns.
  virtual void add(Runnable& runnable, std::string name) = 0;
  /// Waits for its current run() to return. False: it has not until `until`, and `runnable` stays;
  /// neither it nor the executor may be destroyed then.
  virtual bool remove(Runnable& runnable, Time until) = 0;
  /// `runnable` has something to do, or an earlier timer. Any thread; a wake is never lost.
  virtual void wake(Runnable& runnable) = 0;

  /// Blocks the calling thread, which belongs to no worker, until `ready()` is true or `until` is
  /// reached; `ready` is checked again after each notify(key). The simulator runs the world
  /// meanwhile.
  virtual void wait(const void* key, const std::function<bool()>& ready, Time until) = 0;
  virtual void notify(const void* key) = 0;
};

}  // namespace coterie
