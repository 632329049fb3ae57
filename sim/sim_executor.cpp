#include "sim/sim_executor.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

namespace coterie::sim {
namespace {

[[noreturn]] void misuse(const char* what) {
  throw std::logic_error(std::string("simulated executor: ") + what);
}

}  // namespace

/// A worker: ready when it was woken or its next timer is due.
class SimExecutor::Slot final : public SimItem {
 public:
  Slot(SimExecutor& owner, Runnable& runnable) : owner_(owner), runnable_(runnable) {
    owner_.world_.add(*this);
  }
  ~Slot() override { owner_.world_.remove(*this); }

  bool ready() const noexcept override {
    return !owner_.frozen_ && busy_until_ <= owner_.world_.now() &&
           (awake_ || next_ <= owner_.world_.now());
  }
  Time next() const noexcept override {
    if (owner_.frozen_) return Time::max();
    return awake_ ? busy_until_ : std::max(next_, busy_until_);
  }
  void run() override {
    awake_ = false;
    next_ = runnable_.run();
    // One that came back with work left has used up its time: meanwhile that of others comes.
    if (next_ <= owner_.world_.now()) busy_until_ = after(owner_.world_.now(), owner_.busy_time);
  }
  void wake() noexcept { awake_ = true; }
  bool is(const Runnable& runnable) const noexcept { return &runnable_ == &runnable; }

 private:
  SimExecutor& owner_;
  Runnable& runnable_;
  bool awake_ = true;  // as a new thread runs once
  Time next_ = Time::max();
  Time busy_until_{};
};

/// Jobs in posting order, timers in the order of their moments.
class SimExecutor::SimStrand final : public Strand, private SimItem {
 public:
  explicit SimStrand(SimExecutor& owner) : owner_(owner) { owner_.world_.add(*this); }
  ~SimStrand() override {
    owner_.world_.remove(*this);
    // What a job owns may post from its destructor.
    const auto dropped = std::exchange(jobs_, {});
    stopping_ = true;
  }

  void post(Job job) override { post_at(owner_.world_.now(), std::move(job)); }
  void post_at(Time at, Job job) override {
    if (stopping_) return;
    jobs_.emplace(std::pair(std::max(at, owner_.world_.now()), ++posted_), std::move(job));
  }

 private:
  bool ready() const noexcept override { return next() <= owner_.world_.now(); }
  Time next() const noexcept override {
    return jobs_.empty() || owner_.frozen_ ? Time::max() : jobs_.begin()->first.first;
  }
  void run() override {
    Job job = std::move(jobs_.begin()->second);
    jobs_.erase(jobs_.begin());
    job();
  }

  SimExecutor& owner_;
  std::map<std::pair<Time, std::uint64_t>, Job> jobs_;
  std::uint64_t posted_ = 0;
  bool stopping_ = false;
};

/// All threads that may block: each job ends at a moment of its own.
class SimExecutor::Blocking final : public SimItem {
 public:
  explicit Blocking(SimExecutor& owner) : owner_(owner) { owner_.world_.add(*this); }
  ~Blocking() override { owner_.world_.remove(*this); }

  void post(std::move_only_function<void()> job) {
    SimWorld& world = owner_.world_;
    const auto wait = static_cast<std::uint64_t>(owner_.blocking_time_max.count()) + 1;
    const Duration delay(static_cast<Duration::rep>(world.random().below(wait)));
    jobs_.emplace(std::pair(after(world.now(), delay), ++posted_), std::move(job));
  }
  bool ready() const noexcept override { return next() <= owner_.world_.now(); }
  Time next() const noexcept override {
    return jobs_.empty() || owner_.frozen_ ? Time::max() : jobs_.begin()->first.first;
  }
  void run() override {
    auto job = std::move(jobs_.begin()->second);
    jobs_.erase(jobs_.begin());
    job();
  }

 private:
  SimExecutor& owner_;
  std::map<std::pair<Time, std::uint64_t>, std::move_only_function<void()>> jobs_;
  std::uint64_t posted_ = 0;
};

SimExecutor::SimExecutor(SimWorld& world)
    : world_(world), blocking_(std::make_unique<Blocking>(*this)) {}

SimExecutor::~SimExecutor() = default;

std::unique_ptr<Strand> SimExecutor::make_strand(std::string) {
  return std::make_unique<SimStrand>(*this);
}

void SimExecutor::run_blocking(std::move_only_function<void()> job) {
  blocking_->post(std::move(job));
}

void SimExecutor::add(Runnable& runnable, std::string) {
  slots_.push_back(std::make_unique<Slot>(*this, runnable));
}

bool SimExecutor::remove(Runnable& runnable, Time) {
  const auto found =
      std::ranges::find_if(slots_, [&](const auto& slot) { return slot->is(runnable); });
  if (found == slots_.end()) misuse("a runnable was removed that is not there");
  if ((*found)->running) misuse("a runnable was removed while it runs");
  slots_.erase(found);
  return true;
}

void SimExecutor::wake(Runnable& runnable) {
  for (const auto& slot : slots_) {
    if (slot->is(runnable)) slot->wake();
  }
}

void SimExecutor::wait(const void*, const std::function<bool()>& ready, Time until) {
  while (!ready()) {
    if (world_.now() >= until) return;
    if (world_.step(until)) continue;
    if (until == Time::max()) misuse("a thread waits, and nothing will ever happen");
    world_.run_until(until);
  }
}

}  // namespace coterie::sim
