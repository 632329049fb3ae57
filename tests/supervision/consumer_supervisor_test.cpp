// ConsumerSupervisor: a child for each event, and demand as children end; after
// consumer_supervisor_test.exs.

#include <gtest/gtest.h>

#include <coterie/consumer_supervisor.hpp>
#include <coterie/task_supervisor.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;

struct Started {
  Pid child;
  int event = 0;
};
struct Wanted {
  std::size_t demand = 0;
};

class Counter final : public GenStage::Producer<int> {
 public:
  explicit Counter(Pid test) : test_(test) {}
  std::vector<int> handle_demand(std::size_t demand) override {
    send(test_, Wanted{demand});
    std::vector<int> events(demand);
    for (int& event : events) event = next_++;
    return events;
  }

 private:
  Pid test_;
  int next_ = 0;
};

class ConsumerSupervisorTest : public testing::Test {
 protected:
  VirtualNode node;
  Pid me = self();
  Pid producer = GenServer::start<Counter>({}, me).value();

  Pid start(std::size_t max, std::size_t min, Restart restart) {
    ConsumerSupervisorOptions options;
    options.subscribe_to = {{.to = producer, .max_demand = max, .min_demand = min}};
    return ConsumerSupervisor<int>::start(
               [me = me, restart](const int& event) {
                 ChildSpec spec = Task::child_spec("", [me, event] {
                   send(me, Started{self(), event});
                   sleep(infinity);
                 });
                 spec.restart = restart;
                 return spec;
               },
               std::move(options))
        .value();
  }
  static Started next() {
    return receive([](const Started& s) { return s; });
  }
  static std::size_t demand() {
    return receive([](const Wanted& w) { return w.demand; },
                   after(10ms, [] { return std::size_t{0}; }));
  }
};

TEST_F(ConsumerSupervisorTest, StartsAChildForEachEventUpToItsDemand) {
  const Pid supervisor = start(3, 1, Restart::temporary);
  EXPECT_EQ(demand(), 3u);
  std::vector<Pid> children;
  for (int event : {0, 1, 2}) {
    const Started child = next();
    EXPECT_EQ(child.event, event);
    children.push_back(child.child);
  }
  EXPECT_EQ(demand(), 0u);
  EXPECT_EQ(DynamicSupervisor::count_children(supervisor)->active, 3u);
  exit(children[0], ExitReason::term("done"));
  EXPECT_EQ(next().event, 3);
  EXPECT_EQ(demand(), 1u);
  EXPECT_TRUE(DynamicSupervisor::terminate_child(supervisor, children[1]));
  EXPECT_EQ(next().event, 4);
  EXPECT_EQ(DynamicSupervisor::which_children(supervisor)->size(), 3u);
}

TEST_F(ConsumerSupervisorTest, AsksWhenMinDemandChildrenHaveEnded) {
  start(4, 2, Restart::temporary);
  EXPECT_EQ(demand(), 4u);
  const Pid first = next().child;
  const Pid second = next().child;
  exit(first, ExitReason::shutdown());
  EXPECT_EQ(demand(), 0u);
  exit(second, ExitReason::shutdown());
  EXPECT_EQ(demand(), 2u);
}

TEST_F(ConsumerSupervisorTest, RestartedChildrenKeepTheirPlace) {
  const Pid supervisor = start(2, 1, Restart::transient);
  EXPECT_EQ(demand(), 2u);
  const Started first = next();
  next();
  exit(first.child, ExitReason::term("crash"));
  const Started again = next();
  EXPECT_EQ(again.event, first.event);
  EXPECT_NE(again.child, first.child);
  EXPECT_EQ(demand(), 0u);
  exit(again.child, ExitReason::shutdown());
  EXPECT_EQ(next().event, 2);
  EXPECT_TRUE(is_alive(supervisor));
}

// A pause before each restart: the child keeps its place meanwhile, and gives it back in the end.
TEST_F(ConsumerSupervisorTest, ABackOffKeepsTheChildsPlace) {
  ConsumerSupervisorOptions options;
  options.subscribe_to = {{.to = producer, .max_demand = 1, .min_demand = 0}};
  options.max_restarts = 100;
  int starts = 0;
  const Pid supervisor =
      ConsumerSupervisor<int>::start(
          [&, me = me](const int&) {
            ChildSpec spec;
            spec.restart = Restart::transient;
            spec.backoff = {.min = 100ms, .jitter = 0};
            spec.start = [&starts, me]() -> StartResult {
              if (++starts == 3) {
                return std::unexpected(StartError{StartError::Code::ignored, {}, {}, {}});
              }
              return spawn_link([me] {
                send(me, Started{self(), 0});
                sleep(infinity);
              });
            };
            return spec;
          },
          std::move(options))
          .value();
  EXPECT_EQ(demand(), 1u);
  const Pid first = next().child;
  exit(first, ExitReason::term("crash"));
  wait_for_end(first);
  EXPECT_EQ(DynamicSupervisor::which_children(supervisor)->at(0).state, ChildState::restarting);
  EXPECT_EQ(demand(), 0u);
  const Pid second = next().child;
  exit(second, ExitReason::term("crash"));
  wait_for_end(second);
  EXPECT_EQ(demand(), 0u);
  // The third start is ignored: the child is forgotten, and another event is asked for.
  EXPECT_EQ(next().event, 0);
  EXPECT_EQ(demand(), 1u);
  EXPECT_EQ(starts, 4);
}

TEST_F(ConsumerSupervisorTest, TooManyRestartsEndItAndItsChildren) {
  const Pid supervisor = start(2, 1, Restart::permanent);
  const Ref ref = monitor(supervisor);
  const Pid other = next().child;
  for (int i = 0; i < 4; ++i) exit(next().child, ExitReason::term("crash"));
  receive(when([ref](const Down& down) { return down.ref == ref; },
               [](const Down& down) { EXPECT_EQ(down.reason, ExitReason::shutdown()); }));
  EXPECT_FALSE(is_alive(other));
}

TEST_F(ConsumerSupervisorTest, EndsWithItsProducerAndStopsItsChildren) {
  const Pid supervisor = start(2, 1, Restart::temporary);
  const Pid child = next().child;
  exit(producer, ExitReason::shutdown());
  wait_for_end(supervisor);
  EXPECT_FALSE(is_alive(child));
}

}  // namespace
}  // namespace coterie
