#pragma once
// Watches, on a thread of its own, for what a running node must hear at any time: a signal to stop,
// and the end of its guardian.

#include <functional>
#include <thread>

#include "node/file_descriptor.hpp"
#include "node/signal_source.hpp"

namespace coterie {

class StopSignals final {
 public:
  /// `stop` is called once, at the first signal: a terminal and the guardian may both send it.
  /// `orphaned` is called once, when `guardian` hangs up. Both on the watching thread; what they
  /// touch outlives this.
  StopSignals(SignalSource& signals, int guardian, std::function<void()> stop,
              std::function<void()> orphaned);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

 private:
  void watch();

  SignalSource& signals_;
  const int guardian_;
  const std::function<void()> stop_, orphaned_;
  FileDescriptor end_read_, end_write_;  // closing the second ends the thread
  std::thread thread_;
};

}  // namespace coterie
