// PartitionSupervisor: what Elixir's partition_supervisor_test.exs checks.

#include <coterie/partition_supervisor.hpp>

#include <gtest/gtest.h>

#include <set>

#include <coterie/dynamic_supervisor.hpp>

#include "registry/local_names.hpp"
#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

class Part final : public GenServer {
 public:
  struct Which {
    using Reply = std::size_t;
  };
  struct Crash {};
  using Calls = Messages<Which>;
  using Casts = Messages<Crash>;
  explicit Part(std::size_t partition) : partition_(partition) {}
  std::size_t handle_call(const Which&) { return partition_; }
  Next handle_cast(const Crash&) { return stop(ExitReason::term("crash")); }

 private:
  std::size_t partition_;
};

ChildSpec part(std::size_t partition) { return child<Part>("", {}, partition); }

struct PartitionSupervisorTest : ::testing::Test {
  LocalNames names;
  test::LocalNode node;
  PartitionSupervisorTest() { node.runtime.set_names(&names); }

  template <class Key>
  std::optional<std::size_t> ask(Key key) {
    const auto answer = call(via_partition("parts", key), Part::Which{});
    return answer ? std::optional(*answer) : std::nullopt;
  }
};

TEST_F(PartitionSupervisorTest, RoutesByKeyAndPassesThePartition) {
  ASSERT_TRUE(PartitionSupervisor::start_link(part, {.name = "parts", .partitions = 3}));
  EXPECT_EQ(PartitionSupervisor::partitions("parts"), 3u);
  // An integer by its remainder, whatever its sign.
  for (int key = -7; key < 8; ++key) EXPECT_EQ(ask(key), std::size_t(std::abs(key)) % 3);
  EXPECT_EQ(ask(std::uint64_t(1) << 63), (std::uint64_t(1) << 63) % 3);
  // Anything else by a hash: always the same, and spread.
  std::set<std::size_t> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key-" + std::to_string(i);
    EXPECT_EQ(ask(key), ask(key));
    seen.insert(ask(key).value());
  }
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_TRUE(ask(self()));
}

TEST_F(PartitionSupervisorTest, HasOnePartitionForEachWorker) {
  ASSERT_TRUE(PartitionSupervisor::start_link(part(0), {.name = "parts"}));
  EXPECT_EQ(PartitionSupervisor::partitions("parts"), node.runtime.workers().size());
  const auto count = PartitionSupervisor::count_children("parts").value();
  EXPECT_EQ(count.active, 2u);
  EXPECT_EQ(count.workers, 2u);
  const auto rows = PartitionSupervisor::which_children("parts").value();
  for (const auto& row : rows) {
    EXPECT_EQ(names.resolve("parts", row.id, false, 1s)->pid, row.pid);
  }
}

TEST_F(PartitionSupervisorTest, KeepsRoutingAfterARestart) {
  ASSERT_TRUE(PartitionSupervisor::start_link(part, {.name = "parts", .partitions = 2}));
  const auto pid_of = [](const std::string& id) {
    const auto rows = PartitionSupervisor::which_children("parts").value();
    for (const auto& row : rows) {
      if (row.id == id) return row.pid;
    }
    return Pid{};
  };
  for (int i = 0; i < 3; ++i) {
    const Pid old = pid_of("1");
    const Ref ref = monitor(old);
    cast(via_partition("parts", 1), Part::Crash{});
    receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
    // The supervisor knows of the end already, and answers after the restart.
    EXPECT_NE(pid_of("1"), old);
    EXPECT_EQ(ask(1), 1u);
    EXPECT_EQ(ask(0), 0u);
  }
}

TEST_F(PartitionSupervisorTest, Resizes) {
  ASSERT_TRUE(PartitionSupervisor::start_link(part, {.name = "parts", .partitions = 8}));
  for (const std::size_t size : {7, 3, 0, 1, 8, 2, 5}) {
    ASSERT_TRUE(PartitionSupervisor::resize("parts", size));
    EXPECT_EQ(PartitionSupervisor::partitions("parts"), size);
    const auto count = PartitionSupervisor::count_children("parts").value();
    EXPECT_EQ(count.active, size);
    EXPECT_EQ(count.specs, 8u);
    std::set<std::size_t> seen;
    for (int key = 0; key < 8; ++key) {
      if (const auto partition = ask(key)) seen.insert(*partition);
    }
    EXPECT_EQ(seen.size(), size);
  }
  EXPECT_EQ(PartitionSupervisor::resize("parts", 8).value(), 5u);
  EXPECT_THROW(static_cast<void>(PartitionSupervisor::resize("parts", 9)), std::invalid_argument);
}

TEST_F(PartitionSupervisorTest, RefusesWhatItCannotBe) {
  EXPECT_THROW(PartitionSupervisor::partitions("unknown"), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(PartitionSupervisor::count_children("unknown")),
               std::invalid_argument);
  EXPECT_FALSE(PartitionSupervisor::start_link(part, {.name = ""}));
  const auto first = PartitionSupervisor::start_link(part, {.name = "parts"});
  ASSERT_TRUE(first);
  const auto again = PartitionSupervisor::start_link(part, {.name = "parts"});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, StartError::Code::already_started);
  EXPECT_EQ(again.error().holder, *first);
  // A name goes with its supervisor.
  ASSERT_TRUE(GenServer::stop(local("parts"), ExitReason::normal(), 5s));
  EXPECT_FALSE(ask(0));
  EXPECT_TRUE(PartitionSupervisor::start_link(part, {.name = "parts"}));
}

TEST_F(PartitionSupervisorTest, StopsAndWaits) {
  const Pid pid = PartitionSupervisor::start_link(part, {.name = "parts", .partitions = 4}).value();
  const auto rows = PartitionSupervisor::which_children("parts").value();
  EXPECT_EQ(rows.size(), 4u);
  ASSERT_TRUE(PartitionSupervisor::stop("parts"));
  EXPECT_FALSE(is_alive(pid));
  for (const auto& row : rows) EXPECT_FALSE(is_alive(row.pid));
  EXPECT_EQ(whereis("parts"), std::nullopt);
  EXPECT_THROW(static_cast<void>(PartitionSupervisor::stop("parts")), std::invalid_argument);
}

// A partition of none answers nobody; each start gets the arguments of its own.
TEST_F(PartitionSupervisorTest, SaysWhatItsRoutesLeadTo) {
  const ChildSpec spec = PartitionSupervisor::child_spec(part, {.name = "parts", .partitions = 3});
  EXPECT_EQ(spec.id, "parts");
  EXPECT_EQ(spec.type, ChildType::supervisor);
  ASSERT_TRUE(Supervisor::start_link({spec}));
  for (const int key : {0, 1, 2, 3, -1}) EXPECT_EQ(ask(key), std::size_t(std::abs(key)) % 3);
  EXPECT_EQ(PartitionSupervisor::resize("parts", 0).value(), 3u);
  EXPECT_EQ(GenServer::whereis(via_partition("parts", 0)), std::nullopt);
  EXPECT_EQ(PartitionSupervisor::count_children("parts")->active, 0u);
  EXPECT_EQ(PartitionSupervisor::resize("parts", 3).value(), 0u);
  EXPECT_EQ(ask(2), 2u);
}

// The use for which it was made: several dynamic supervisors behind one name.
TEST_F(PartitionSupervisorTest, SpreadsDynamicSupervisors) {
  ASSERT_TRUE(PartitionSupervisor::start_link(DynamicSupervisor::child_spec("dynamic"),
                                              {.name = "dynamic", .partitions = 2}));
  EXPECT_EQ(PartitionSupervisor::count_children("dynamic").value().supervisors, 2u);
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(DynamicSupervisor::start_child(via_partition("dynamic", i), part(i)));
  }
  for (const int key : {0, 1}) {
    EXPECT_EQ(DynamicSupervisor::count_children(via_partition("dynamic", key)).value().active, 5u);
  }
}

}  // namespace
}  // namespace coterie
