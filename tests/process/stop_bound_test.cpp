// How long a node's end may take, on virtual time.

#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

class Idle final : public GenServer {
 public:
  using Casts = Messages<>;
};

// Goal: a node with many processes takes its time to end them; its bound is for those that do not
// end. Each run of a worker takes 32 ms here and ends some ten thousand processes.
TEST(StopBound, HoldsFromTheLastProcessThatEnded) {
  constexpr int many = 150'000;
  sim::SimWorld world(1);
  sim::SimExecutor executor{world};
  CapturedLog sink;
  Log log{sink, world.clock(), "test"};
  detail::Runtime runtime{{.node = "test", .workers = 1, .stop_max = 40ms},
                          {world.clock(), world.random(), executor, log}};
  {
    detail::AttachedThread self{runtime};
    test::run_process([] {
      for (int i = 0; i < many; ++i) GenServer::start<Idle>({}).value();
    });
    ASSERT_EQ(runtime.process_count(), std::size_t{many});
  }
  const Time start = world.now();
  EXPECT_TRUE(runtime.stop());
  EXPECT_EQ(runtime.process_count(), 0u);
  EXPECT_GT(world.now() - start, 40ms);
  EXPECT_TRUE(sink.entries().empty());
}

}  // namespace
}  // namespace coterie
