// The table of a DynamicSupervisor's children finds what was added and nothing else, whatever was
// renamed and erased between.

#include "supervision/dynamic_children.hpp"

#include <gtest/gtest.h>

#include <map>

#include "process/seeded_random.hpp"

namespace coterie::detail {
namespace {

ChildSpec spec(Restart restart) {
  ChildSpec made;
  made.start = [] { return Pid{}; };
  made.restart = restart;
  made.shutdown = std::chrono::seconds(7);
  return made;
}

TEST(DynamicChildren, FindsWhatAPlainMapFinds) {
  constexpr NodeId node{1};
  DynamicChildren children;
  std::map<std::uint64_t, Restart> model;
  SeededRandom random(7);
  const auto serial = [&] { return random.next() % 300 << 32 | (random.next() % 3 + 1); };
  for (int step = 0; step < 20'000; ++step) {
    const Pid pid{node, serial()};
    DynamicChild* found = children.find(pid);
    ASSERT_EQ(found != nullptr, model.contains(pid.serial)) << "step " << step;
    if (found == nullptr) {
      const Restart restart = step % 2 == 0 ? Restart::permanent : Restart::temporary;
      children.add(pid, spec(restart));
      model.emplace(pid.serial, restart);
      continue;
    }
    EXPECT_EQ(found->pid(node), pid);
    EXPECT_EQ(found->restart, model.at(pid.serial));
    EXPECT_EQ(children.shutdown(*found), Shutdown(std::chrono::seconds(7)));
    const std::uint64_t other = serial();
    if (step % 3 == 0 && !model.contains(other)) {
      children.rename(*found, {node, other});
      model.emplace(other, model.at(pid.serial));
    } else {
      children.erase(*found);
    }
    model.erase(pid.serial);
  }
  EXPECT_EQ(children.size(), model.size());
  for (const auto& [left, restart] : model) {
    EXPECT_NE(children.find({node, left}), nullptr);
    EXPECT_EQ(children.find({NodeId{2}, left}), nullptr) << "a process of another node";
  }
}

}  // namespace
}  // namespace coterie::detail
