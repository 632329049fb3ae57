// GenEvent: what OTP's gen_event promises, on virtual time.

#include <gtest/gtest.h>

#include <coterie/gen_event.hpp>
#include <coterie/supervisor.hpp>
#include <coterie/sys.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using Names = std::vector<std::string>;
using Events = GenEvent<int>;
using Code = HandlerError::Code;

struct Heard {
  std::string what;
};

/// Tells the test what it hears; ends, throws or kills its manager when an event says so.
struct Listener final : EventHandler<int> {
  Listener(Pid t, std::string n, int s = 0) : test(t), name(std::move(n)), sum(s) {}
  Then handle_event(const int& event) override {
    if (event == 13) throw std::runtime_error("thirteen");
    sum += event;
    send(test, Heard{name + std::to_string(event)});
    return event == 99 ? Then::remove : Then::stay;
  }
  void terminate(const ExitReason& reason) override {
    send(test, Heard{name + " ends: " + to_string(reason)});
  }
  const Pid test;
  const std::string name;
  int sum;
};

struct GenEventTest : testing::Test {
  VirtualNode node;
  Pid me = self();
  Pid manager = Events::start({.name = local("events")}).value();

  Events::Make listener(std::string name) const {
    return [me = me, name = std::move(name)] { return std::make_unique<Listener>(me, name); };
  }
  static Names heard() {
    sleep(1ms);
    Names names;
    while (receive(
        [&](Heard h) {
          names.push_back(std::move(h.what));
          return true;
        },
        after(0s, [] { return false; }))) {
    }
    return names;
  }
};

TEST_F(GenEventTest, TellsEachHandlerOfEachEvent) {
  EXPECT_TRUE(Events::add_handler(manager, "a", listener("a")));
  EXPECT_TRUE(Events::add_handler(manager, "b", listener("b")));
  EXPECT_EQ(Events::add_handler(manager, "a", listener("a")).error().code, Code::already_present);
  EXPECT_EQ(Events::which_handlers(manager).value(), (Names{"b", "a"}));
  Events::notify(local("events"), 1);
  EXPECT_TRUE(Events::sync_notify(manager, 2));
  EXPECT_EQ(heard(), (Names{"b1", "a1", "b2", "a2"}));
  EXPECT_TRUE(Events::delete_handler(manager, "b"));
  EXPECT_EQ(Events::delete_handler(manager, "b").error().code, Code::not_found);
  EXPECT_EQ(heard(), Names{"b ends: delete_handler"});
  EXPECT_EQ(sys::get_status(manager)->state, "{gen_event,[a]}");
}

TEST_F(GenEventTest, AHandlerThatThrowsGoesAlone) {
  EXPECT_TRUE(Events::add_handler(manager, "a", listener("a")));
  EXPECT_TRUE(Events::add_handler(manager, "b", [me = me] {
    struct Quiet final : EventHandler<int> {
      Then handle_event(const int&) override { return Then::stay; }
    };
    return std::make_unique<Quiet>();
  }));
  EXPECT_TRUE(Events::sync_notify(manager, 13));
  EXPECT_EQ(Events::which_handlers(manager).value(), Names{"b"});
  EXPECT_TRUE(is_alive(manager));
  EXPECT_EQ(heard(), Names{"a ends: {error,std::runtime_error,\"thirteen\"}"});
  EXPECT_EQ(node.sink.entries().back().field("handler"), "a");
  const auto none = Events::add_handler(manager, "c", []() -> std::unique_ptr<EventHandler<int>> {
    throw std::runtime_error("no disk");
  });
  EXPECT_EQ(none.error().code, Code::failed);
  EXPECT_EQ(none.error().reason.what(), "no disk");
}

// gen_event_SUITE:add_sup_handler. Who is told by the answer is not told by a message as well.
TEST_F(GenEventTest, AFailedAddIsAnAnswerOnly) {
  const auto fails = []() -> std::unique_ptr<EventHandler<int>> { throw std::runtime_error("no"); };
  EXPECT_EQ(Events::add_sup_handler(manager, "a", fails).error().code, Code::failed);
  EXPECT_TRUE(Events::which_handlers(manager)->empty());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  // An exit of a stranger does not end the manager.
  exit(manager, ExitReason::term("sup_died"));
  EXPECT_TRUE(Events::add_sup_handler(manager, "a", listener("a")));
  // Of a swap that fails the adder hears, whoever asked for it.
  run_process([&] {
    const auto none = [&](auto) { return fails(); };
    EXPECT_EQ(Events::swap_handler(manager, "a", "b", none).error().code, Code::failed);
  });
  const auto told = [] {
    return receive(
        [](const EventHandlerExit& end) { return end.id + " " + to_string(end.reason); });
  };
  EXPECT_EQ(told(), "a {swapped,b}");
  EXPECT_EQ(told(), "b {error,std::runtime_error,\"no\"}");
  EXPECT_TRUE(Events::which_handlers(manager)->empty());
}

TEST_F(GenEventTest, AHandlerMayTakeItselfOutAndBeAsked) {
  EXPECT_TRUE(Events::add_handler(manager, "a", listener("a")));
  EXPECT_TRUE(Events::sync_notify(manager, 4));
  EXPECT_EQ(Events::call<Listener>(manager, "a", [](Listener& l) { return l.sum; }).value(), 4);
  EXPECT_EQ(Events::call<Listener>(manager, "b", [](Listener& l) { return l.sum; }).error().code,
            Code::not_found);
  EXPECT_TRUE(Events::sync_notify(manager, 99));
  EXPECT_EQ(heard(), (Names{"a4", "a99", "a ends: normal"}));
  EXPECT_TRUE(Events::add_handler(manager, "a", listener("a")));
  EXPECT_EQ(Events::call<Listener>(manager, "a", [](Listener&) -> int { throw 1; }).error().code,
            Code::failed);
  EXPECT_TRUE(Events::which_handlers(manager)->empty());
}

TEST_F(GenEventTest, SwapHandsTheStateOver) {
  EXPECT_TRUE(Events::add_handler(manager, "old", listener("old")));
  EXPECT_TRUE(Events::sync_notify(manager, 5));
  const auto take_over = [me = me](std::unique_ptr<EventHandler<int>> old) {
    const auto* before = dynamic_cast<Listener*>(old.get());
    return std::make_unique<Listener>(me, "new", before == nullptr ? -1 : before->sum);
  };
  EXPECT_TRUE(Events::swap_handler(manager, "old", "new", take_over));
  EXPECT_EQ(Events::call<Listener>(manager, "new", [](Listener& l) { return l.sum; }).value(), 5);
  EXPECT_TRUE(Events::swap_handler(manager, "nobody", "other", take_over));
  EXPECT_EQ(Events::call<Listener>(manager, "other", [](Listener& l) { return l.sum; }).value(),
            -1);
  EXPECT_EQ(Events::swap_handler(manager, "new", "other", take_over).error().code,
            Code::already_present);
}

TEST_F(GenEventTest, ASupervisedHandlerIsTiedToWhoAddedIt) {
  run_process([this] {
    EXPECT_TRUE(Events::add_sup_handler(manager, "tied", listener("tied")));
    exit(ExitReason::term("gone"));
  });
  EXPECT_EQ(heard(), Names{"tied ends: gone"});
  EXPECT_TRUE(Events::which_handlers(manager)->empty());

  EXPECT_TRUE(Events::add_sup_handler(manager, "mine", listener("mine")));
  EXPECT_TRUE(Events::sync_notify(manager, 13));
  receive([&](const EventHandlerExit& end) {
    EXPECT_EQ(end.manager, manager);
    EXPECT_EQ(end.id, "mine");
    EXPECT_EQ(end.reason.what(), "thirteen");
  });
}

// The adder hears of every end, with OTP's reasons.
TEST_F(GenEventTest, TheAdderHearsWhyItsHandlerIsGone) {
  const auto told = [&](const std::string& id) {
    return receive(when([&](const EventHandlerExit& end) { return end.id == id; },
                        [](const EventHandlerExit& end) { return to_string(end.reason); }),
                   after(0s, [] { return std::string("nothing"); }));
  };
  const auto add = [&](const std::string& id) {
    EXPECT_TRUE(Events::add_sup_handler(manager, id, listener(id)));
  };
  add("deleted");
  EXPECT_TRUE(Events::delete_handler(manager, "deleted"));
  EXPECT_EQ(told("deleted"), "normal");
  add("removed");
  EXPECT_TRUE(Events::sync_notify(manager, 99));
  EXPECT_EQ(told("removed"), "normal");
  add("old");
  EXPECT_TRUE(
      Events::swap_handler(manager, "old", "new", [this](auto) { return listener("new")(); }));
  EXPECT_EQ(told("old"), "{swapped,new}");
  // The new one is tied to the same process.
  EXPECT_TRUE(GenServer::stop(manager, ExitReason::term("maintenance"), 1s));
  EXPECT_EQ(told("new"), "shutdown");
}

TEST_F(GenEventTest, ItsEndIsToldToItsHandlers) {
  EXPECT_TRUE(Events::add_handler(manager, "a", listener("a")));
  EXPECT_TRUE(GenServer::stop(manager, ExitReason::shutdown(), 1s));
  EXPECT_EQ(heard(), Names{"a ends: shutdown"});
  EXPECT_EQ(Events::sync_notify(manager, 1).error().code, Code::no_manager);
  Events::notify(manager, 1);  // never fails
  const Pid top =
      Supervisor::start({Events::child_spec("events", {.name = local("again")})}).value();
  EXPECT_TRUE(Events::add_handler(local("again"), "a", listener("a")));
  EXPECT_TRUE(GenServer::stop(top, ExitReason::shutdown(), 1s));
  EXPECT_EQ(heard(), Names{"a ends: shutdown"});
}

}  // namespace
}  // namespace coterie
