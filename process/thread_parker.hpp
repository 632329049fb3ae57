#pragma once
// A thread's bed: one thread sleeps in it, any thread wakes it. A wake that comes before the sleep
// is kept, so none is lost; several before one sleep count as one. Waking a thread that is awake
// is one atomic exchange; only a sleeping one costs a system call (futex).

#include <atomic>

#include <coterie/time.hpp>

#include "process/ports/executor.hpp"

namespace coterie::detail {

class ThreadParker {
 public:
  ThreadParker() = default;
  ThreadParker(const ThreadParker&) = delete;
  ThreadParker& operator=(const ThreadParker&) = delete;

  /// Any thread. What the caller wrote before is visible to the thread that park() lets go on.
  void wake() noexcept;

  /// The owning thread only. Returns when woken, at `until`, or earlier for no reason: at the
  /// latest after one second, because a sleep in the kernel does not count a suspended machine's
  /// time. Watches for a wake during `spin` before it sleeps.
  void park(const Clock& clock, Time until, Duration spin) noexcept;
  /// As park(), but on the lookout. False: it is taken, and nobody has slept.
  bool look_out(Lookout& lookout, Time until);

 private:
  enum State : std::uint32_t { awake, asleep, looking, woken };
  bool take_wake() noexcept;

  std::atomic<std::uint32_t> state_{awake};
  std::atomic<Lookout*> lookout_{nullptr};  // set before `looking` is
};

}  // namespace coterie::detail
