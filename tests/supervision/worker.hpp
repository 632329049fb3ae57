#pragma once
// Children to supervise, and what they did, in order.

#include <coterie/child_spec.hpp>

#include <mutex>

namespace coterie::test {

class Trace {
 public:
  void add(std::string what) {
    std::lock_guard lock(mutex_);
    ++size_;
    text_ += (text_.empty() ? "" : " ") + what;
  }
  std::string take() {
    std::lock_guard lock(mutex_);
    size_ = 0;
    return std::exchange(text_, {});
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return size_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
  std::size_t size_ = 0;
};

class Worker final : public GenServer {
 public:
  struct Unlink {
    using Reply = void;
    Pid from;
  };
  struct Crash {};
  struct Finish {};
  using Calls = Messages<Unlink>;
  using Casts = Messages<Crash, Finish>;

  Worker(std::string name, Trace* trace) : name_(std::move(name)), trace_(trace) {
    trace_->add("+" + name_);
  }
  void handle_call(const Unlink& m) { unlink(m.from); }
  void handle_cast(const Crash&) { throw std::runtime_error("boom"); }
  Next handle_cast(const Finish&) { return stop(ExitReason::normal()); }
  void terminate(const ExitReason& reason) {
    if (reason.kind() == ExitReason::Kind::shutdown) trace_->add("-" + name_);
  }

 private:
  std::string name_;
  Trace* trace_;
};

/// Does not stop when asked to.
class Stubborn final : public GenServer {
 public:
  void terminate(const ExitReason&) { sleep(std::chrono::seconds(60)); }
};

inline ChildSpec worker(const std::string& id, Trace& trace) {
  return child<Worker>(id, StartOptions{.trap_exit = true}, id, &trace);
}

inline bool eventually(const std::function<bool()>& holds,
                       Duration within = std::chrono::seconds(5)) {
  const auto step = std::chrono::milliseconds(2);
  for (Duration waited{}; waited < within; waited += step) {
    if (holds()) return true;
    sleep(step);
  }
  return holds();
}

}  // namespace coterie::test
