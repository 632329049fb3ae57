// A node inside a program: attached threads, local registries.

#include <gtest/gtest.h>

#include <thread>

#include <coterie/node.hpp>
#include <coterie/registry.hpp>

namespace coterie {
namespace {

using namespace std::chrono_literals;

class Session final : public GenServer {
 public:
  struct Touch {
    using Reply = std::string;
    static constexpr std::string_view type_name = "session.touch";
  };
  using Calls = Messages<Touch>;
  explicit Session(std::string id) : id_(std::move(id)) {}
  std::string handle_call(const Touch&) { return id_; }

 private:
  std::string id_;
};

std::expected<Pid, StartError> start_session(const std::string& id) {
  return GenServer::start<Session>({.name = via("sessions", id)}, id);
}

TEST(Node, ThreadsOfAProgramAttachAndCall) {
  Node node;
  auto self = node.attach();
  const auto session = GenServer::start<Session>({.name = local("session")}, "s");
  ASSERT_TRUE(session);
  EXPECT_EQ(call(local("session"), Session::Touch{}).value(), "s");
  std::thread([&] {
    auto other = node.attach();
    EXPECT_NE(other.pid(), self.pid());
    EXPECT_EQ(call(local("session"), Session::Touch{}).value(), "s");
  }).join();
}

TEST(Registry, ResolvesViaNamesUntilTheirProcessEnds) {
  Node node;
  auto self = node.attach();
  EXPECT_EQ(start_session("session-1").error().code, StartError::Code::unavailable);
  ASSERT_TRUE(Registry::start_link({.name = "sessions"}));
  const auto first = start_session("session-1");
  ASSERT_TRUE(first);
  const auto second = start_session("session-1");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, StartError::Code::already_started);
  EXPECT_EQ(second.error().holder, *first);
  EXPECT_EQ(call(via("sessions", "session-1"), Session::Touch{}).value(), "session-1");
  EXPECT_EQ(call(via("sessions", "session-2"), Session::Touch{}).error().code(),
            CallError::Code::noproc);
  EXPECT_EQ(call(via("nothing", "session-1"), Session::Touch{}).error().code(),
            CallError::Code::noproc);
  for (int i = 0; i < 200; ++i) {  // a name is free before the end of its process is seen
    const auto pid = Registry::whereis_name("sessions", "session-1");
    ASSERT_TRUE(pid) << i;
    const Ref ref = monitor(*pid);
    exit(*pid, ExitReason::kill());
    receive(when([ref](const Down& down) { return down.ref == ref; }, [](const Down&) {}));
    ASSERT_TRUE(start_session("session-1")) << i;
  }
}

}  // namespace
}  // namespace coterie
