// GenServer under the names that somebody who knows Elixir writes first, and what handlers may
// take.

#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;

class Stack final : public GenServer {
 public:
  struct Push {
    std::unique_ptr<std::string> item;
  };
  struct Pop {
    using Reply = std::unique_ptr<std::string>;
  };
  struct PopLater {
    using Reply = std::string;
  };
  struct Clear {
    using Reply = void;
  };
  struct Ping {
    using Reply = std::string;
    std::unique_ptr<std::string> text;
  };
  struct Note {
    std::unique_ptr<std::string> text;
  };
  using Calls = Messages<Pop, PopLater, Clear, Ping>;
  using Casts = Messages<Push>;
  using Infos = Messages<Note>;
  using Continues = Messages<Note>;

  Init init() { return ok().then_continue(Note{std::make_unique<std::string>("first")}); }
  // Each message is taken as one that is moved.
  void handle_continue(Note note) { items_.push_back(std::move(note.text)); }
  void handle_cast(Push&& push) { items_.push_back(std::move(push.item)); }
  void handle_info(Note&& note) { items_.push_back(std::move(note.text)); }
  std::string handle_call(Ping ping) { return std::move(*ping.text); }
  std::unique_ptr<std::string> handle_call(const Pop&) {
    auto top = std::move(items_.back());
    items_.pop_back();
    return top;
  }
  void handle_call(PopLater&&, From<PopLater> from) {
    spawn([from, text = *items_.back()] { GenServer::reply(from, text); });
  }
  void handle_call(const Clear&, From<Clear> from) {
    items_.clear();
    GenServer::reply(from);
  }

 private:
  std::vector<std::unique_ptr<std::string>> items_;
};

std::unique_ptr<std::string> boxed(std::string text) {
  return std::make_unique<std::string>(std::move(text));
}

TEST(GenServerClient, HasElixirsNames) {
  VirtualNode node;
  const Pid pid = GenServer::start_link<Stack>({.name = local("stack")}).value();
  EXPECT_EQ(GenServer::whereis("stack"), pid);
  EXPECT_EQ(GenServer::whereis(local("stack")), pid);
  GenServer::cast(local("stack"), Stack::Push{boxed("a")});
  GenServer::cast<Stack>(pid, Stack::Push{boxed("b")});
  EXPECT_EQ(*GenServer::call(pid, Stack::Pop{}).value(), "b");
  EXPECT_EQ(*GenServer::call<Stack>(local("stack"), Stack::Pop{}, 1s).value(), "a");
  EXPECT_EQ(GenServer::call(pid, Stack::PopLater{}, {.timeout = 1s, .request_id = "r-1"}).value(),
            "first");
  EXPECT_TRUE(GenServer::call(pid, Stack::Clear{}));
  EXPECT_TRUE(GenServer::stop(pid));
  EXPECT_EQ(GenServer::whereis("stack"), std::nullopt);
}

TEST(GenServerClient, StartsWithoutOptions) {
  VirtualNode node;
  const Pid pid = GenServer::start<Stack>().value();
  EXPECT_EQ(*GenServer::call(pid, Stack::Pop{}).value(), "first");
}

TEST(GenServerClient, AHandlerMayTakeItsMessageAway) {
  VirtualNode node;
  const Pid pid = GenServer::start<Stack>().value();
  EXPECT_EQ(call(pid, Stack::Ping{boxed("pong")}).value(), "pong");
  send(pid, Stack::Note{boxed("info")});
  EXPECT_EQ(*call(pid, Stack::Pop{}).value(), "info");
}

// From inside a server the names are the same functions.
class Front final : public GenServer {
 public:
  struct Ask {
    using Reply = std::string;
  };
  using Calls = Messages<Ask>;
  std::string handle_call(const Ask&) {
    cast(local("stack"), Stack::Push{boxed("x")});
    static_cast<void>(call<Stack>(local("stack"), Stack::Pop{}));
    return whereis("stack") ? *call(local("stack"), Stack::Pop{}, 1s).value() : "nobody";
  }
};
TEST(GenServerClient, AServerIsAClientAsWell) {
  VirtualNode node;
  ASSERT_TRUE(GenServer::start<Stack>({.name = local("stack")}));
  const Pid front = GenServer::start<Front>().value();
  EXPECT_EQ(GenServer::call(front, Front::Ask{}).value(), "first");
  EXPECT_EQ(GenServer::multi_call("nobody", Stack::PopLater{}, 1s).bad_nodes.size(), 1u);
}

// A type of a function's own is a message like any other.
TEST(GenServerClient, MessagesMayBeLocalToAFunction) {
  VirtualNode node;
  struct Hello {
    int number = 0;
    std::string text{};
  };
  send(self(), Hello{3, "three"});
  const std::string text =
      receive([](AnyMessage message) { return message.get<Hello>()->text + message.to_text(); });
  EXPECT_EQ(text, "three" + to_term(Hello{3, "three"}));
}

TEST(GenServerClient, RegisteredNamesAreListed) {
  VirtualNode node;
  EXPECT_TRUE(registered().empty());
  ASSERT_TRUE(register_name("b", self()));
  ASSERT_TRUE(register_name("a", spawn([] { sleep(infinity); })));
  EXPECT_EQ(registered(), (std::vector<std::string>{"a", "b"}));
  unregister_name("b");
  EXPECT_EQ(registered(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace coterie
