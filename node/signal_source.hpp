#pragma once
// The signals of a program as events of a descriptor: no handler ever runs. Made by the main thread
// before it starts others, which inherit the blocked mask. A signal that the program was started
// with as ignored (nohup) stays ignored. Any number of equal signals may count as one.

#include <signal.h>

#include <initializer_list>
#include <optional>

#include "node/file_descriptor.hpp"

namespace coterie {

class SignalSource final {
 public:
  /// Throws std::system_error when the system has no descriptor left.
  explicit SignalSource(std::initializer_list<int> signals);
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;
  /// Restores the mask of the calling thread.
  ~SignalSource();

  /// Readable when next() has something.
  int descriptor() const noexcept { return descriptor_.get(); }
  /// Does not wait.
  std::optional<int> next() noexcept;
  /// What was blocked before: the mask for programs that are started from here.
  const sigset_t& mask_before() const noexcept { return before_; }

 private:
  sigset_t before_{};
  FileDescriptor descriptor_;
};

}  // namespace coterie
