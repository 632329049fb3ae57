#include "sim/sim_executor.hpp"

#include <algorithm>
#include <list>
#include <stdexcept>

namespace coterie::sim {
namespace {

[[noreturn]] void misuse(const char* what) {
  throw std::logic_error(std::string("simulated executor: ") + what);
}

}  // namespace

// ---- simulated threads

SimExecutor::Seat::~Seat() {
  // A job that waits for ever: its frames are left behind.
  if (taken()) std::erase(owner_.seats_, this);
}

bool SimExecutor::Seat::ready() const noexcept {
  return taken() && (thread_->notified || thread_->until <= owner_.now());
}

Time SimExecutor::Seat::next() const noexcept {
  if (!taken()) return Time::max();
  return thread_->notified ? owner_.world_.now() : owner_.world_time(thread_->until);
}

void SimExecutor::Seat::begin(SimThread::Job job) {
  thread_ = owner_.world_.take_thread();
  owner_.seats_.push_back(this);
  thread_->begin(std::move(job));
  settle();
}

void SimExecutor::Seat::resume() {
  thread_->resume();
  settle();
}

void SimExecutor::Seat::notify() {
  thread_->notified = true;
  owner_.world_.changed(item_);
}

void SimExecutor::Seat::settle() {
  if (!thread_->idle()) return;
  std::erase(owner_.seats_, this);
  owner_.world_.give_back(std::move(thread_));
}

// ---- items

/// A worker: ready when it was woken or its next timer is due.
class SimExecutor::Slot final : public SimItem {
 public:
  Slot(SimExecutor& owner, Runnable& runnable) : owner_(owner), runnable_(runnable) {
    owner_.world_.add(*this);
  }
  ~Slot() override { owner_.world_.remove(*this); }

  bool ready() const noexcept override {
    return !owner_.held() && busy_until_ <= owner_.world_.now() &&
           (awake_ || next_ <= owner_.now());
  }
  Time next() const noexcept override {
    if (owner_.held()) return Time::max();
    return awake_ ? busy_until_ : std::max(owner_.world_time(next_), busy_until_);
  }
  void run() override {
    awake_ = false;
    next_ = runnable_.run();
    const Time now = owner_.world_.now();
    // One that came back with work left has used up its time: meanwhile that of others comes.
    if (next_ <= owner_.now()) {
      busy_until_ = after(now, owner_.busy_time);
    } else if (owner_.slice_rest > Duration::zero()) {
      busy_until_ = after(now, owner_.slice_rest);
    }
  }
  void wake() {
    awake_ = true;
    owner_.world_.changed(*this);
  }
  bool is(const Runnable& runnable) const noexcept { return &runnable_ == &runnable; }

 private:
  SimExecutor& owner_;
  Runnable& runnable_;
  bool awake_ = true;  // as a new thread runs once
  Time next_ = Time::max();
  Time busy_until_{};  // of the world
};

/// Jobs in posting order, timers in the order of their moments; the next one when one has ended.
class SimExecutor::SimStrand final : public Strand, private SimItem {
 public:
  explicit SimStrand(SimExecutor& owner) : owner_(owner), seat_(owner, *this) {
    owner_.world_.add(*this);
  }
  ~SimStrand() override {
    if (seat_.taken()) {
      awaited_ = true;
      owner_.wait(
          this, [this] { return !seat_.taken(); }, Time::max());
    }
    owner_.world_.remove(*this);
    // What a job owns may post from its destructor.
    const auto dropped = std::exchange(jobs_, SimJobs());
    stopping_ = true;
  }

  void post(Job job) override { post_at(owner_.now(), std::move(job)); }
  void post_at(Time at, Job job) override {
    if (stopping_) return;
    jobs_.post(std::max(at, owner_.now()), std::move(job));
    owner_.world_.changed(*this);
  }

 private:
  bool ready() const noexcept override {
    if (owner_.held()) return false;
    return seat_.taken() ? seat_.ready() : !jobs_.empty() && jobs_.next() <= owner_.now();
  }
  Time next() const noexcept override {
    if (owner_.held()) return Time::max();
    if (seat_.taken()) return seat_.next();
    return owner_.world_time(jobs_.next());
  }
  void run() override {
    if (seat_.taken()) {
      seat_.resume();
    } else {
      seat_.begin(jobs_.take());
    }
    if (awaited_ && !seat_.taken()) owner_.notify(this);
  }

  SimExecutor& owner_;
  Seat seat_;
  SimJobs jobs_;
  bool awaited_ = false;
  bool stopping_ = false;
};

/// Threads that may block: each job begins at a moment of its own.
class SimExecutor::Pool final : public SimItem {
 public:
  explicit Pool(SimExecutor& owner) : owner_(owner) { owner_.world_.add(*this); }
  ~Pool() override { owner_.world_.remove(*this); }

  void post(std::move_only_function<void()> job, Duration within) {
    SimWorld& world = owner_.world_;
    const auto wait = static_cast<std::uint64_t>(within.count()) + 1;
    const Duration delay(static_cast<Duration::rep>(world.random().below(wait)));
    jobs_.post(after(world.now(), delay), std::move(job));
    world.changed(*this);
  }
  bool ready() const noexcept override {
    if (owner_.held()) return false;
    if (jobs_.next() <= owner_.world_.now()) return true;
    return std::ranges::any_of(seats_, &Seat::ready);
  }
  Time next() const noexcept override {
    if (owner_.held()) return Time::max();
    Time next = jobs_.next();
    for (const Seat& seat : seats_) next = std::min(next, seat.next());
    return next;
  }
  void run() override {
    for (auto seat = seats_.begin(); seat != seats_.end(); ++seat) {
      if (!seat->ready()) continue;
      seat->resume();
      if (!seat->taken()) seats_.erase(seat);
      return;
    }
    Seat& seat = seats_.emplace_back(owner_, *this);
    seat.begin(jobs_.take());
    if (!seat.taken()) seats_.pop_back();
  }

 private:
  SimExecutor& owner_;
  std::list<Seat> seats_;
  SimJobs jobs_;
};

// ---- the executor

SimExecutor::SimExecutor(SimWorld& world, const SimNodeClock* clock)
    : world_(world),
      clock_(clock),
      blocking_(std::make_unique<Pool>(*this)),
      threads_(std::make_unique<Pool>(*this)) {}

SimExecutor::~SimExecutor() = default;

std::unique_ptr<Strand> SimExecutor::make_strand(std::string) {
  return std::make_unique<SimStrand>(*this);
}

void SimExecutor::run_blocking(std::move_only_function<void()> job) {
  blocking_->post(std::move(job), blocking_time_max);
}

void SimExecutor::run_thread(std::move_only_function<void()> job) {
  threads_->post(std::move(job), Duration::zero());
}

void SimExecutor::add(Runnable& runnable, std::string) {
  slots_.push_back(std::make_unique<Slot>(*this, runnable));
}

bool SimExecutor::remove(Runnable& runnable, Time) {
  const auto found =
      std::ranges::find_if(slots_, [&](const auto& slot) { return slot->is(runnable); });
  if (found == slots_.end()) misuse("a runnable was removed that is not there");
  if ((*found)->running()) misuse("a runnable was removed while it runs");
  slots_.erase(found);
  return true;
}

void SimExecutor::wake(Runnable& runnable) {
  for (const auto& slot : slots_) {
    if (slot->is(runnable)) slot->wake();
  }
}

void SimExecutor::wait(const void* key, const std::function<bool()>& ready, Time until) {
  if (SimThread* thread = world_.thread()) {
    while (!ready() && now() < until) {
      thread->key = key;
      thread->until = until;
      thread->yield();
    }
    thread->key = nullptr;
    thread->until = Time::max();
    return;
  }
  while (!ready()) {
    const Time end = world_time(until);
    if (world_.now() >= end) return;
    if (world_.step(end)) continue;
    if (end == Time::max()) misuse("a thread waits, and nothing will ever happen");
    world_.run_until(end);
  }
}

void SimExecutor::notify(const void* key) {
  for (Seat* seat : seats_) {
    if (seat->waits_for(key)) seat->notify();
  }
}

void SimExecutor::sleep_until(Time until) {
  wait(
      this, [] { return false; }, until);
}

void SimExecutor::sleep_world(Duration duration) {
  auto over = std::make_shared<bool>(false);
  world_.post_at(after(world_.now(), duration), [this, over] {
    *over = true;
    notify(over.get());
  });
  wait(
      over.get(), [&over] { return *over; }, Time::max());
}

}  // namespace coterie::sim
