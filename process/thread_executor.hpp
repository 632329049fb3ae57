#pragma once
// The real Executor: strands and runnables have a thread each, blocking jobs share a pool. Made
// once by the composition root; any thread may call it. It outlives what it runs: every runnable
// has been removed and every wait() has returned before it is destroyed; strands may outlive it,
// never its clock. An exception that leaves a job or a runnable ends the program with a line that
// says which.

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "process/ports/executor.hpp"
#include "process/thread_parker.hpp"
#include "process/thread_pool.hpp"

namespace coterie {

struct ThreadExecutorOptions {
  std::size_t blocking_threads_max = 32;  // each costs a stack; blocking() waits for a free one
  Duration blocking_idle_max = std::chrono::seconds(10);  // then a pool's thread ends
  Duration spin = std::chrono::microseconds(10);  // before a thread sleeps; a wake costs about 20
};

class ThreadExecutor final : public Executor {
 public:
  using Options = ThreadExecutorOptions;
  static constexpr std::size_t runnables_max = 256;

  /// `clock` must outlive the executor and its strands.
  explicit ThreadExecutor(const Clock& clock, Options options = {});
  ~ThreadExecutor() override;

  std::unique_ptr<Strand> make_strand(std::string name) override;
  void run_blocking(std::move_only_function<void()> job) override;

  /// At most runnables_max at once; more are a programming error and abort. Throws
  /// std::system_error when the system has no more threads.
  void add(Runnable& runnable, std::string name) override;
  /// Not from the runnable's own thread. After false it may be tried again.
  bool remove(Runnable& runnable, Time until) override;
  /// Of a runnable that is not (or no longer) there: does nothing.
  void wake(Runnable& runnable) override;

  void wait(const void* key, const std::function<bool()>& ready, Time until) override;
  void notify(const void* key) override;

 private:
  // A slot is never freed, so a wake may race with a remove: at worst it wakes a stranger, who
  // runs once for nothing.
  struct alignas(64) Slot {
    std::atomic<const void*> runnable{nullptr};
    std::atomic<bool> stopping{false};
    std::atomic<bool> ended{false};
    detail::ThreadParker parker;
    std::thread thread;
  };
  // The plain threads that wait for keys of one hash.
  struct alignas(64) WaitList {
    std::atomic<std::uint32_t> waiting{0};
    std::mutex mutex;
    std::vector<std::pair<const void*, std::shared_ptr<detail::ThreadParker>>> waiters;
  };
  class Waiting;

  static std::size_t hash(const void* key) noexcept;
  Slot* find(const void* runnable) noexcept;
  WaitList& list_of(const void* key) noexcept;

  const Clock& clock_;
  const Options options_;
  std::mutex slots_mutex_;  // add and remove, one at a time
  std::array<Slot, runnables_max> slots_;
  std::array<WaitList, 16> wait_lists_;
  ThreadPool pool_;
};

}  // namespace coterie
