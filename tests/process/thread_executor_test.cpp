// The real executor with real threads. What is expected to happen is waited for, with a bound that
// is generous because the machine may be slow; no test passes or fails by how fast it was.

#include "process/thread_executor.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stdexcept>

#include "process/system_clock.hpp"
#include "process/thread_pool.hpp"
#include "process/thread_strand.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 30'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

// Goal: jobs of one poster run in the order of posting, and never two at once.
TEST(ThreadStrand, RunsOneAtATimeInOrder) {
  SystemClock clock;
  constexpr int posters = 4, each = 2'000;
  std::vector<int> last(posters, -1);  // touched by jobs only: TSan would see two at once
  std::vector<int> disorder(posters, 0);
  std::latch done(posters * each);
  ThreadStrand strand(clock, "ordered");
  {
    std::vector<std::jthread> threads;
    for (int p = 0; p < posters; ++p) {
      threads.emplace_back([&, p] {
        for (int i = 0; i < each; ++i) {
          strand.post([&, p, i] {
            if (std::exchange(last[static_cast<std::size_t>(p)], i) != i - 1) {
              ++disorder[static_cast<std::size_t>(p)];
            }
            done.count_down();
          });
        }
      });
    }
  }
  done.wait();
  EXPECT_EQ(disorder, std::vector<int>(posters, 0));
}

// Goal: timers run in the order of their moments, equal ones in the order of posting, none early.
TEST(ThreadStrand, RunsTimersByMomentThenByPosting) {
  SystemClock clock;
  std::vector<int> order;
  int early = 0;
  std::binary_semaphore done(0);
  ThreadStrand strand(clock, "timers");
  const Time start = clock.now() + 20ms;
  const auto timer = [&](Time at, int id) {
    strand.post_at(at, [&, at, id] {
      order.push_back(id);
      if (clock.now() < at) ++early;
      if (id == 6) done.release();
    });
  };
  timer(start + 10ms, 4);
  timer(start, 1);
  timer(start + 20ms, 6);
  timer(start, 2);
  timer(start + 10ms, 5);
  timer(start, 3);
  strand.post([&] { order.push_back(0); });
  done.acquire();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(early, 0);
}

// Goal: a strand that is flooded with posts still runs a timer that is due.
TEST(ThreadStrand, FloodDelaysNoTimer) {
  SystemClock clock;
  std::atomic<bool> fired{false};
  ThreadStrand strand(clock, "flood");
  std::function<void()> again = [&] {
    if (!fired) {
      strand.post(again);
      strand.post([] {});
    }
  };
  strand.post_at(clock.now() + 5ms, [&] { fired = true; });
  strand.post(again);
  EXPECT_TRUE(eventually([&] { return fired.load(); }));
}

// Goal: a job that blocks delays no other strand.
TEST(ThreadStrand, StrandsDoNotWaitForOneAnother) {
  SystemClock clock;
  ThreadExecutor executor(clock);
  auto stuck = executor.make_strand("stuck");
  auto free = executor.make_strand("free");
  std::binary_semaphore release(0), done(0);
  stuck->post([&] { release.acquire(); });
  free->post([&] { done.release(); });
  done.acquire();
  release.release();
}

// Goal: the destructor waits for the running job, drops the rest, and takes no more.
TEST(ThreadStrand, DestructorWaitsAndDrops) {
  SystemClock clock;
  std::binary_semaphore running(0);
  std::atomic<bool> finished{false}, dropped_ran{false}, dropped_destroyed{false};
  {
    ThreadStrand strand(clock, "ends");
    struct Tell {
      ThreadStrand& strand;
      std::atomic<bool>& destroyed;
      ~Tell() {
        strand.post([] {});
        destroyed = true;
      }
    };
    strand.post([&] {
      running.release();
      std::this_thread::sleep_for(20ms);
      finished = true;
    });
    strand.post(
        [&, tell = std::make_unique<Tell>(strand, dropped_destroyed)] { dropped_ran = true; });
    strand.post_at(clock.now() + 1h, [&] { dropped_ran = true; });
    running.acquire();
  }
  EXPECT_TRUE(finished);
  EXPECT_FALSE(dropped_ran);
  EXPECT_TRUE(dropped_destroyed);
}

// Goal: threads carry their strand's name and leave the program's signals to the main thread.
TEST(ThreadStrand, ThreadsAreNamedAndBlockSignals) {
  SystemClock clock;
  char name[16] = {};
  int term = -1, fault = -1;
  std::binary_semaphore done(0);
  ThreadStrand strand(clock, "a name longer than fifteen bytes");
  strand.post([&] {
    pthread_getname_np(pthread_self(), name, sizeof name);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    term = sigismember(&mask, SIGTERM);
    fault = sigismember(&mask, SIGSEGV);
    done.release();
  });
  done.acquire();
  EXPECT_STREQ(name, "a name longer t");
  EXPECT_EQ(term, 1);
  EXPECT_EQ(fault, 0);
  sigset_t mine;
  pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGTERM), 0);
}

// Goal: an exception that leaves a job ends the program with a line that names the strand.
TEST(ThreadStrandDeathTest, ExceptionEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SystemClock clock;
        ThreadStrand strand(clock, "careless");
        strand.post([] { throw std::runtime_error("no such row"); });
        std::this_thread::sleep_for(30s);
      },
      "coterie: careless: an exception left the job: no such row");
}

// Goal: the pool grows to its bound and no further, runs everything, and shrinks to one thread.
TEST(ThreadPool, GrowsToItsBoundAndShrinks) {
  ThreadPool pool(3, 1ms);
  std::atomic<int> running{0}, most{0}, done{0};
  std::counting_semaphore<16> go(0);
  for (int i = 0; i < 9; ++i) {
    pool.run([&] {
      const int now = ++running;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      go.acquire();
      --running;
      ++done;
    });
  }
  EXPECT_TRUE(eventually([&] { return running == 3; }));
  EXPECT_EQ(pool.threads(), 3u);
  go.release(9);
  EXPECT_TRUE(eventually([&] { return done == 9; }));
  EXPECT_EQ(most, 3);
  EXPECT_TRUE(eventually([&] { return pool.threads() == 1; }));
  pool.run([&] { ++done; });
  EXPECT_TRUE(eventually([&] { return done == 10; }));
}

// Goal: threads come and go under a changing load without losing a job.
TEST(ThreadPool, LosesNoJobWhileThreadsComeAndGo) {
  ThreadPool pool(4, 0ms);
  std::atomic<int> done{0};
  int posted = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 1 + round % 7; ++i, ++posted) pool.run([&] { ++done; });
    if (round % 5 == 0) std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(eventually([&] { return done == posted; }));
}

// Goal: the destructor waits for what runs and drops what waits.
TEST(ThreadPool, DestructorWaitsAndDrops) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(1, 1s);
    std::binary_semaphore running(0);
    pool.run([&] {
      running.release();
      std::this_thread::sleep_for(20ms);
      ++ran;
    });
    running.acquire();
    for (int i = 0; i < 10; ++i) pool.run([&] { ran += 100; });
  }
  EXPECT_EQ(ran, 1);
}

/// Consumes what was announced by `announce` and counts its runs.
class Consumer final : public Runnable {
 public:
  explicit Consumer(Executor& executor) : executor_(executor) {}
  void announce() {
    announced_.fetch_add(1, std::memory_order_relaxed);
    executor_.wake(*this);
  }
  Time run() override {
    consumed += announced_.exchange(0, std::memory_order_relaxed);
    ++runs;
    return Time::max();
  }
  std::atomic<int> consumed{0}, runs{0};

 private:
  Executor& executor_;
  std::atomic<int> announced_{0};
};

// Goal: no wake is lost, however the announcements fall between running, spinning and sleeping.
TEST(ThreadExecutor, LosesNoWake) {
  SystemClock clock;
  for (Duration spin : {Duration(0us), Duration(10us)}) {
    ThreadExecutor executor(clock, {.spin = spin});
    Consumer consumer(executor);
    executor.add(consumer, "consumer");
    for (int i = 1; i <= 3'000; ++i) {
      consumer.announce();
      if (i % 3 == 0) {  // let it fall asleep, or nearly
        ASSERT_TRUE(eventually([&] { return consumer.consumed == i; })) << i;
      }
      if (i % 100 == 0) std::this_thread::sleep_for(1ms);
    }
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < 5'000; ++i) consumer.announce();
        });
      }
    }
    EXPECT_TRUE(eventually([&] { return consumer.consumed == 3'000 + 15'000; }));
    EXPECT_TRUE(executor.remove(consumer, Time::max()));
    consumer.announce();  // nobody is there: harmless
  }
}

// Goal: a runnable that sleeps on a lookout is woken there, and one that finds it taken sleeps in
// its own bed: no wake is lost either way.
TEST(ThreadExecutor, LosesNoWakeOnALookout) {
  class Post final : public Lookout {
   public:
    bool sleep(Time) override {
      std::unique_lock lock(mutex_);
      if (taken_) return false;
      taken_ = true;
      roused_or_late_.wait_for(lock, 20ms, [this] { return std::exchange(roused_, false); });
      taken_ = false;
      ++slept;
      return true;
    }
    void rouse() noexcept override {
      std::lock_guard lock(mutex_);
      roused_ = true;
      roused_or_late_.notify_all();
    }
    std::atomic<int> slept{0};

   private:
    std::mutex mutex_;
    std::condition_variable roused_or_late_;
    bool taken_ = false, roused_ = false;
  };
  struct Watcher final : Runnable {
    explicit Watcher(Lookout& post) : post_(post) {}
    Time run() override {
      done = wanted.load();
      return Time::max();
    }
    Lookout* lookout() noexcept override { return &post_; }
    std::atomic<int> wanted{0}, done{0};
    Lookout& post_;
  };
  SystemClock clock;
  Post post;
  ThreadExecutor executor(clock);
  Watcher one(post), two(post);
  executor.add(one, "one");
  executor.add(two, "two");
  for (int i = 1; i <= 500; ++i) {
    for (Watcher* each : {&one, &two}) {
      each->wanted = i;
      executor.wake(*each);
    }
    ASSERT_TRUE(eventually([&] { return one.done == i && two.done == i; })) << i;
  }
  EXPECT_GT(post.slept, 0);
  EXPECT_TRUE(executor.remove(one, Time::max()));
  EXPECT_TRUE(executor.remove(two, Time::max()));
}

// Goal: two runnables that wake each other never stop.
TEST(ThreadExecutor, PingPongNeverStops) {
  SystemClock clock;
  ThreadExecutor executor(clock);
  constexpr int rounds = 5'000;
  struct Player final : Runnable {
    Executor* executor = nullptr;
    Player* other = nullptr;
    std::atomic<int> ball{0};
    int played = 0;
    Time run() override {
      if (const int hits = ball.exchange(0); hits != 0 && hits < rounds) {
        played = hits;
        other->ball = hits + 1;
        executor->wake(*other);
      } else if (hits != 0) {
        played = hits;
        done = true;
        executor->notify(this);
      }
      return Time::max();
    }
    std::atomic<bool> done{false};
  } left, right;
  left.executor = right.executor = &executor;
  left.other = &right;
  right.other = &left;
  executor.add(left, "left");
  executor.add(right, "right");
  left.ball = 1;
  executor.wake(left);
  executor.wait(
      &right, [&] { return right.done.load(); }, clock.now() + 60s);
  EXPECT_TRUE(right.done);
  EXPECT_TRUE(executor.remove(left, Time::max()));
  EXPECT_TRUE(executor.remove(right, Time::max()));
  EXPECT_EQ(right.played, rounds);
}

// Goal: a runnable runs again at the moment that it named, not before, and an earlier timer that
// comes with a wake replaces a later one.
TEST(ThreadExecutor, RunsAtTheReturnedTime) {
  SystemClock clock;
  ThreadExecutor executor(clock);
  struct Ticker final : Runnable {
    const Clock& clock;
    std::atomic<Duration> wait;
    std::atomic<int> ticks{0}, early{0};
    Time due = Time::min();
    explicit Ticker(const Clock& c, Duration w) : clock(c), wait(w) {}
    Time run() override {
      if (clock.now() >= due) {
        ++ticks;
      } else {
        ++early;
      }
      due = clock.now() + wait.load();
      return due;
    }
  };
  Ticker quick(clock, 2ms), slow(clock, 1h);
  executor.add(quick, "quick");
  executor.add(slow, "slow");
  EXPECT_TRUE(eventually([&] { return quick.ticks >= 10 && slow.ticks == 1; }));
  slow.wait = 2ms;
  executor.wake(slow);
  EXPECT_TRUE(eventually([&] { return slow.ticks >= 3; }));
  EXPECT_EQ(quick.early, 0);
  EXPECT_TRUE(executor.remove(quick, Time::max()));
  EXPECT_TRUE(executor.remove(slow, Time::max()));
}

// Goal: after remove() returns, run() is not called again; the slot serves the next one.
TEST(ThreadExecutor, RemoveIsFinalAndSlotsAreReused) {
  SystemClock clock;
  ThreadExecutor executor(clock);
  for (int round = 0; round < 300; ++round) {  // more than there are slots
    auto consumer = std::make_unique<Consumer>(executor);
    executor.add(*consumer, "short");
    consumer->announce();
    if (round % 50 == 0) {
      ASSERT_TRUE(eventually([&] { return consumer->consumed == 1; }));
    }
    EXPECT_TRUE(executor.remove(*consumer, Time::max()));
  }
}

// Goal: wait() ends with notify of its key, and by its deadline when nothing comes.
TEST(ThreadExecutor, WaitEndsByNotifyOrDeadline) {
  SystemClock clock;
  ThreadExecutor executor(clock);
  int key = 0;
  const Time until = clock.now() + 20ms;
  executor.wait(
      &key, [] { return false; }, until);
  EXPECT_GE(clock.now(), until);
  executor.wait(
      &key, [] { return true; }, Time::min());

  std::atomic<int> turn{0};
  std::vector<std::jthread> threads;
  std::atomic<int> lost{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const int mine = 4 * i + t;
        executor.wait(
            &turn, [&] { return turn.load(std::memory_order_relaxed) == mine; }, clock.now() + 60s);
        if (turn.load(std::memory_order_relaxed) != mine) {
          ++lost;
          return;
        }
        turn.store(mine + 1, std::memory_order_relaxed);
        executor.notify(&turn);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(turn, 2'000);
}

// Goal: blocking jobs run beside one another, away from the caller.
TEST(ThreadExecutor, RunsBlockingJobsSideBySide) {
  SystemClock clock;
  ThreadExecutor executor(clock, {.blocking_threads_max = 2});
  std::binary_semaphore first(0), second(0), done(0);
  executor.run_blocking([&] {
    first.release();
    second.acquire();
    done.release();
  });
  executor.run_blocking([&] {
    first.acquire();
    second.release();
  });
  done.acquire();
}

// Goal: a runnable that throws ends the program with a line that names it.
TEST(ThreadExecutorDeathTest, ThrowingRunnableEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  struct Broken final : Runnable {
    Time run() override { throw 7; }
  };
  EXPECT_DEATH(
      {
        SystemClock clock;
        ThreadExecutor executor(clock);
        Broken broken;
        executor.add(broken, "worker-3");
        std::this_thread::sleep_for(30s);
      },
      "coterie: worker-3: an exception left the job: of a type that is not");
}

}  // namespace
}  // namespace coterie
