// Agreement and names together on a shared SQLite file, on real threads: a node that dies with its
// guardian's word loses its name to a survivor within milliseconds.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "journal/open_storage.hpp"
#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "registry/store_agreement_driver.hpp"
#include "registry/store_names_driver.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

class Directory {
 public:
  Directory() {
    std::string path = (std::filesystem::temp_directory_path() / "registry-XXXXXX").string();
    path_ = mkdtemp(path.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a node composes: views go to its names and are hinted to the other nodes.
struct Node final : AgreementEvents {
  Node(const std::string& directory, const std::string& name, const Clock& clock,
       Executor& executor)
      : storage(open_storage(
                    {.description = "sqlite:" + directory, .node = name, .cluster_id = "failover"})
                    .value()) {
    AgreementOptions agreement_options;
    agreement_options.self.name = name;
    agreement_options.self.incarnation = {1, NodeId{static_cast<unsigned char>(name[0])}};
    StoreNamesDriver::Options names_options;
    names_options.names.node = name;
    names_options.names.incarnation = agreement_options.self.incarnation;
    names = std::make_unique<StoreNamesDriver>(names_options, *storage.names, clock, executor,
                                               [this] { agreement->hint(); });
    agreement = std::make_unique<StoreAgreementDriver>(agreement_options, *storage.agreement, clock,
                                                       executor, *this);
    agreement->start();
  }
  // The two call each other: the names go first, behind a lock that the views' callback takes.
  ~Node() override {
    std::unique_ptr<StoreNamesDriver> last;
    {
      std::lock_guard lock(mutex);
      last = std::move(names);
    }
    last.reset();
    agreement.reset();
  }

  void view_installed(std::shared_ptr<const View> view) override {
    std::lock_guard lock(mutex);
    if (names) names->view_installed(std::move(view));
  }
  void state_changed(NodeState, std::string_view) override {}

  StorageSet storage;
  std::mutex mutex;
  std::unique_ptr<StoreNamesDriver> names;
  std::unique_ptr<StoreAgreementDriver> agreement;
};

TEST(StoreFailover, a_confirmed_death_moves_names_in_milliseconds) {
  Directory directory;
  SystemClock clock;
  ThreadExecutor executor(clock);
  auto eventually = [&](auto ready) {
    const Time end = clock.now() + 10s;
    while (!ready() && clock.now() < end) std::this_thread::sleep_for(200us);
    return ready();
  };
  auto a = std::make_unique<Node>(directory.path(), "a", clock, executor);
  Node b(directory.path(), "b", clock, executor), c(directory.path(), "c", clock, executor);
  ASSERT_TRUE(eventually([&] {
    return a->agreement->state() == NodeState::active && b.agreement->view() &&
           b.agreement->view()->members.size() == 3 && c.agreement->view() &&
           c.agreement->view()->members.size() == 3;
  }));

  std::atomic<int> confirmed = 0;
  std::atomic<std::uint64_t> first_epoch = 0, second_epoch = 0;
  a->names->reserve("contracts", "x", {NodeId{'a'}, 1}, clock.now() + 5s, [&](auto registration) {
    ASSERT_TRUE(registration);
    first_epoch = registration->epoch.view;
    a->names->confirm("contracts", "x", *registration, clock.now() + 5s,
                      [&](auto result) { confirmed += result.has_value() ? 1 : -1; });
  });
  ASSERT_TRUE(eventually([&] { return confirmed == 1; }));

  const Incarnation dead = a->agreement->view()->find("a")->incarnation;
  a.reset();
  const Time reported = clock.now();
  for (Node* survivor : {&b, &c}) survivor->agreement->confirm_death("a", dead);
  ASSERT_TRUE(eventually([&] { return b.agreement->view()->members.size() == 2; }));
  const Time view_at = clock.now();
  b.names->reserve("contracts", "x", {NodeId{'b'}, 1}, clock.now() + 5s, [&](auto registration) {
    ASSERT_TRUE(registration);
    second_epoch = registration->epoch.view;
    b.names->confirm("contracts", "x", *registration, clock.now() + 5s,
                     [&](auto result) { confirmed += result.has_value() ? 1 : -1; });
  });
  ASSERT_TRUE(eventually([&] { return confirmed == 2; }));
  const Time named_at = clock.now();
  EXPECT_GT(second_epoch, first_epoch);
  std::printf("from the report: %ld us to the view, %ld us to the name\n",
              std::chrono::duration_cast<std::chrono::microseconds>(view_at - reported).count(),
              std::chrono::duration_cast<std::chrono::microseconds>(named_at - reported).count());
  EXPECT_LT(named_at - reported, 1s) << "no lease and no poll is waited for";
}

}  // namespace
}  // namespace coterie::testing
