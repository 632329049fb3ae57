#pragma once
// A program that gets a fraction of its processor time, by SIGSTOP and SIGCONT in turn, for
// failover tests. Needs no privileges; to the others it is a node on a machine that is busy with
// something else. Has a thread; the functions may be called from one other.

#include <sys/types.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace coterie {

class LocalSlowness final {
 public:
  /// The child of `guardian` that `pid_file` names, whichever it is at the time. `share` is in
  /// (0, 1).
  LocalSlowness(std::filesystem::path pid_file, pid_t guardian, double share);
  /// Lets it run.
  ~LocalSlowness();
  LocalSlowness(const LocalSlowness&) = delete;
  LocalSlowness& operator=(const LocalSlowness&) = delete;

  /// It is paused by somebody else, or no more: meanwhile nothing is signalled.
  void hold(bool held);

 private:
  void run();
  void signal(int number) const;

  const std::filesystem::path pid_file_;
  const pid_t guardian_;
  const double share_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  bool held_ = false;
  std::thread thread_;
};

}  // namespace coterie
