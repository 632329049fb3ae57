// GenStatem: what OTP's gen_statem_SUITE and its user's guide say of postponing, enter calls, the
// three timeouts and the order of events; on virtual time. Rows 44 and 55.

#include <gtest/gtest.h>

#include <coterie/gen_statem.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;
using Texts = std::vector<std::string>;

// The example of the header.
class Door final : public GenStatem<Door> {
 public:
  struct Locked {
    std::string entered;
  };
  struct Open {};
  using States = OneOf<Locked, Open>;

  struct Button {
    char digit = '0';
  };
  struct IsOpen {
    using Reply = bool;
  };
  struct Lock {};
  using Casts = Messages<Button>;
  using Calls = Messages<IsOpen>;
  using Events = Messages<Lock>;
  using Transitions = Paths<Path<Locked, Open>, Path<Open, Locked>>;

  explicit Door(std::string code) : code_(std::move(code)) {}

  To<Open> handle_event(Locked& locked, const Button& button) {
    locked.entered += button.digit;
    if (locked.entered.size() < code_.size()) return keep_state();
    if (std::exchange(locked.entered, {}) != code_) return keep_state();
    return next_state(Open{}).state_timeout(10s, Lock{});
  }
  To<Locked> handle_event(Open&, const Lock&) { return next_state(Locked{}); }
  To<> handle_event(Open&, const Button&) { return postpone(); }
  bool handle_event(Open&, const IsOpen&) { return true; }
  bool handle_event(const IsOpen&) { return false; }

 private:
  std::string code_;
};

bool is_open(const Pid& door) { return call<Door>(door, Door::IsOpen{}).value(); }
void press(const Pid& door, std::string_view digits) {
  for (const char digit : digits) cast<Door>(door, Door::Button{digit});
}

TEST(GenStatem, ADoorOpensForTenSeconds) {
  VirtualNode node;
  const Pid door = GenServer::start_link<Door>({.name = local("door")}, "1234").value();
  EXPECT_FALSE(is_open(door));
  press(door, "1243");
  EXPECT_FALSE(is_open(door));
  press(door, "1234");
  EXPECT_TRUE(is_open(door));
  sleep(9s);
  EXPECT_TRUE(is_open(door));
  sleep(2s);
  EXPECT_FALSE(is_open(door));
}

TEST(GenStatem, PostponedEventsComeAgainInOrderAfterTheChange) {
  VirtualNode node;
  const Pid door = GenServer::start<Door>({}, "12").value();
  press(door, "121");  // the third while it is open
  EXPECT_TRUE(is_open(door));
  sleep(11s);
  EXPECT_FALSE(is_open(door));
  press(door, "2");  // completes the code with what was postponed
  EXPECT_TRUE(is_open(door));
}

/// Writes down what happens to it; each test tells it what to do.
class Recorder final : public GenStatem<Recorder> {
 public:
  struct A {
    int n = 0;
  };
  struct B {};
  using States = OneOf<A, B>;

  struct Note {
    std::string text;
  };
  struct Fired {
    std::string text;
  };
  struct Hop {};
  struct Do {
    using Reply = Nothing;
    std::function<To<A, B>(Recorder&)> run;
  };
  struct Go {
    using Reply = std::string;
  };
  struct Ask {
    using Reply = int;
  };
  struct Answer {
    int value = 0;
  };
  struct Read {
    using Reply = Texts;
  };
  using Calls = Messages<Do, Go, Ask, Read>;
  using Casts = Messages<Note, Answer>;
  using Infos = Messages<Down>;
  using Events = Messages<Fired, Hop>;

  explicit Recorder(bool repeats = false) : repeats_(repeats) {}
  Init init() { return ok(A{1}, keep_state().next_event(Fired{"init"})); }

  To<> enter(A& a, OldState old) {
    note("enter A" + std::to_string(a.n) + (old.is<B>() ? " from B" : " from A"));
    if (std::exchange(repeats_, false)) return repeat_state();
    return keep_state();
  }
  void enter(B&) { note("enter B"); }

  To<A, B> handle_event(const Do& what, From<Do> from) {
    from.reply({});
    return what.run(*this);
  }
  To<> handle_event(A&, const Go&) { return postpone(); }
  std::string handle_event(B&, const Go&) { return "went"; }
  To<B> handle_event(A&, const Hop&) { return next_state(B{}); }
  To<> handle_event(const Ask&, From<Ask> from) {
    asked_ = from;
    return keep_state();
  }
  To<> handle_event(const Answer& answer) { return keep_state().reply(*asked_, answer.value); }
  Texts handle_event(const Read&) { return notes_; }
  void handle_event(const Note& n) { note(n.text); }
  void handle_event(const Fired& fired) { note(fired.text); }
  void handle_event(const Down&) { note("down"); }
  void terminate(const ExitReason& reason) {
    if (told_ != nullptr) told_->push_back("terminate " + to_string(reason));
  }

  void note(std::string text) { notes_.push_back(std::move(text)); }
  Texts* told_ = nullptr;

 private:
  Texts notes_;
  std::optional<From<Ask>> asked_;
  bool repeats_;
};
using A = Recorder::A;
using B = Recorder::B;
using Fired = Recorder::Fired;
using Step = Recorder::To<A, B>;

class Wrong final : public GenStatem<Wrong> {
 public:
  struct Only {};
  struct Again {};
  using States = OneOf<Only>;
  using Events = Messages<Again>;
  To<> enter(Only&) { return keep_state().next_event(Again{}); }
  void handle_event(const Again&) {}
};

class Silent final : public GenStatem<Silent> {
 public:
  struct Only {};
  using States = OneOf<Only>;
  struct Ask {
    using Reply = int;
  };
  using Calls = Messages<Ask>;
  To<> handle_event(Only&, const Ask&) { return keep_state(); }
};

class Strict final : public GenStatem<Strict> {
 public:
  struct One {};
  struct Two {};
  struct Tick {};
  using States = OneOf<One, Two>;
  using Events = Messages<Tick>;
  Init init() { return ok(One{}, keep_state().next_event(Tick{})); }
  void handle_event(Two&, const Tick&) {}
};

class Recorded : public testing::Test {
 protected:
  VirtualNode node;
  Pid machine = GenServer::start<Recorder>({}).value();

  void SetUp() override { EXPECT_EQ(read(), (Texts{"enter A1 from A", "init"})); }
  Texts read() {
    Texts all = call(machine, Recorder::Read{}).value();
    Texts fresh(all.begin() + std::ssize(read_), all.end());
    read_ = std::move(all);
    return fresh;
  }
  void step(std::function<Step(Recorder&)> run) {
    EXPECT_TRUE(call(machine, Recorder::Do{std::move(run)}));
  }
  Texts read_;
};

TEST_F(Recorded, EnterCallsKnowTheOldState) {
  step([](Recorder&) { return Recorder::next_state(B{}); });
  step([](Recorder&) { return Recorder::next_state(A{2}); });
  step([](Recorder&) { return Recorder::next_state(A{3}); });  // the same state: no entry
  step([](Recorder&) { return Recorder::repeat_state(); });
  EXPECT_EQ(read(), (Texts{"enter B", "enter A2 from B", "enter A3 from A"}));
}

TEST_F(Recorded, AnEnterCallMayRepeatTheState) {
  const Pid repeating = GenServer::start<Recorder>({}, true).value();
  EXPECT_EQ(call(repeating, Recorder::Read{}).value(),
            (Texts{"enter A1 from A", "enter A1 from A", "init"}));
}

TEST_F(Recorded, AnEnterCallCannotPostponeOrInsert) {
  GenServer::start_link<Wrong>({}).value();
  EXPECT_EQ(receive([](const Exit& exit) { return exit.reason; }),
            ExitReason::term("bad_state_enter_action"));
}

// gen_statem: inserted events first, then retried ones, then timeouts of zero, then the mailbox.
TEST_F(Recorded, EventsInsideComeBeforeTheMailbox) {
  const Pid me = self();
  spawn([machine = machine, me] {
    const auto went = call(machine, Recorder::Go{});  // postponed in A
    send(me, Recorder::Note{went.value_or("failed")});
  });
  sleep(1ms);
  step([machine = machine](Recorder&) {
    cast(machine, Recorder::Note{"mailbox"});
    return Recorder::next_state(B{})
        .state_timeout(0s, Fired{"state 0"})
        .timeout("named", 0s, Fired{"named 0"})
        .next_event(Fired{"first"})
        .next_event(Fired{"second"});
  });
  EXPECT_EQ(read(), (Texts{"enter B", "first", "second", "state 0", "named 0", "mailbox"}));
  EXPECT_EQ(receive([](const Recorder::Note& note) { return note.text; }), "went");
}

TEST_F(Recorded, StateTimeoutEndsWithItsState) {
  step([](Recorder&) { return Recorder::next_state(B{}).state_timeout(10s, Fired{"late"}); });
  sleep(5s);
  cast(machine, Recorder::Note{"event"});  // cancels nothing
  sleep(4s);
  EXPECT_EQ(read(), (Texts{"enter B", "event"}));
  sleep(2s);
  EXPECT_EQ(read(), Texts{"late"});
  step([](Recorder&) { return Recorder::keep_state().state_timeout(10s, Fired{"never"}); });
  step([](Recorder&) { return Recorder::next_state(A{}); });
  sleep(20s);
  EXPECT_EQ(read(), Texts{"enter A0 from B"});
}

TEST_F(Recorded, EventTimeoutEndsWithAnyEvent) {
  step([](Recorder&) { return Recorder::keep_state().timeout(10s, Fired{"idle"}); });
  sleep(5s);
  cast(machine, Recorder::Note{"event"});
  sleep(10s);
  EXPECT_EQ(read(), Texts{"event"});
  step([](Recorder&) { return Recorder::keep_state().timeout(10s, Fired{"idle"}); });
  sleep(11s);
  EXPECT_EQ(read(), Texts{"idle"});
  // One of zero is cancelled by an inserted event.
  step([](Recorder&) {
    return Recorder::keep_state().timeout(0s, Fired{"zero"}).next_event(Fired{"inserted"});
  });
  EXPECT_EQ(read(), Texts{"inserted"});
}

TEST_F(Recorded, NamedTimeoutsEndWithNothing) {
  step([](Recorder&) {
    return Recorder::keep_state()
        .timeout("one", 10s, Fired{"one"})
        .timeout("two", 20s, Fired{"two"})
        .timeout("three", 20s, Fired{"three"});
  });
  step([](Recorder&) { return Recorder::next_state(B{}); });
  cast(machine, Recorder::Note{"event"});
  sleep(11s);
  EXPECT_EQ(read(), (Texts{"enter B", "event", "one"}));
  step([](Recorder&) {
    return Recorder::keep_state().cancel_timeout("two").cancel_timeout("unknown");
  });
  sleep(10s);
  EXPECT_EQ(read(), Texts{"three"});
}

TEST_F(Recorded, AStartedTimeoutReplacesTheOneUnderWay) {
  step([](Recorder&) { return Recorder::keep_state().timeout("t", 10s, Fired{"old"}); });
  sleep(5s);
  step([](Recorder&) { return Recorder::keep_state().timeout("t", 10s, Fired{"new"}); });
  sleep(9s);
  EXPECT_EQ(read(), Texts{});
  sleep(2s);
  EXPECT_EQ(read(), Texts{"new"});
}

TEST_F(Recorded, UpdateChangesTheEventAndNotTheTime) {
  step([](Recorder&) { return Recorder::keep_state().state_timeout(10s, Fired{"old"}); });
  sleep(9s);
  step([](Recorder&) { return Recorder::keep_state().update_state_timeout(Fired{"updated"}); });
  EXPECT_EQ(read(), Texts{});
  sleep(2s);
  EXPECT_EQ(read(), Texts{"updated"});
  // With none under way it comes at once.
  step([](Recorder&) { return Recorder::keep_state().update_timeout("t", Fired{"at once"}); });
  EXPECT_EQ(read(), Texts{"at once"});
}

TEST_F(Recorded, OfSeveralActionsOfOneKindTheLastCounts) {
  step([](Recorder&) {
    return Recorder::keep_state()
        .state_timeout(1s, Fired{"first"})
        .state_timeout(2s, Fired{"last"})
        .timeout("t", 1s, Fired{"cancelled"})
        .cancel_timeout("t");
  });
  sleep(3s);
  EXPECT_EQ(read(), Texts{"last"});
}

// A timeout of zero that is inside already is still cancelled by a change of state (otp#2813).
TEST_F(Recorded, AStateTimeoutOfZeroDiesWithItsState) {
  step([](Recorder&) {
    return Recorder::keep_state().state_timeout(0s, Fired{"never"}).next_event(Recorder::Hop{});
  });
  EXPECT_EQ(read(), Texts{"enter B"});
  step([](Recorder&) { return Recorder::keep_state().state_timeout(1ms, Fired{"never"}); });
  step([](Recorder&) {
    sleep(2ms);  // it has been sent meanwhile
    return Recorder::next_state(A{});
  });
  EXPECT_EQ(read(), Texts{"enter A0 from B"});
}

TEST_F(Recorded, RepliesFromALaterEvent) {
  const Pid me = self();
  spawn([machine = machine, me] { send(me, call(machine, Recorder::Ask{}).value()); });
  sleep(1ms);
  step([](Recorder&) { return Recorder::next_state(B{}); });
  cast(machine, Recorder::Answer{7});
  EXPECT_EQ(receive([](int answer) { return answer; }), 7);
}

TEST_F(Recorded, StopAndReplyRepliesBeforeTerminate) {
  Texts told;
  step([&told](Recorder& recorder) {
    recorder.told_ = &told;
    return Recorder::stop(ExitReason::shutdown());
  });
  EXPECT_EQ(wait_for_end(machine), ExitReason::noproc());
  EXPECT_EQ(told, Texts{"terminate shutdown"});
}

TEST_F(Recorded, HibernatesWhenTold) {
  step([](Recorder&) { return Recorder::keep_state().hibernate(); });
  const auto infos = node.runtime.snapshot(1s);
  EXPECT_TRUE(std::ranges::any_of(
      infos, [](const ProcessInfo& info) { return info.status == Status::hibernating; }));
}

TEST_F(Recorded, WhatIsNotListedIsLoggedAndDropped) {
  send(machine, 5);
  EXPECT_EQ(read(), Texts{});
  ASSERT_EQ(node.sink.entries().size(), 1u);
  EXPECT_EQ(node.sink.entries()[0].message, "a message is not one of this state machine's");
}

TEST_F(Recorded, AnExceptionEndsIt) {
  const Ref ref = monitor(machine);
  step([](Recorder&) -> Step { throw std::runtime_error("boom"); });
  receive(when([ref](const Down& down) { return down.ref == ref; },
               [](const Down& down) {
                 EXPECT_EQ(down.reason, ExitReason::error("std::runtime_error", "boom"));
               }));
}

TEST(GenStatem, ACallThatNobodyAnswersIsABadReturn) {
  VirtualNode node;
  const Pid silent = GenServer::start<Silent>({}).value();
  EXPECT_EQ(call(silent, Silent::Ask{}).error().reason(), ExitReason::term("bad_return"));
}

TEST(GenStatem, AnEventOfItsOwnInTheWrongStateEndsIt) {
  VirtualNode node;
  GenServer::start_link<Strict>({}).value();
  EXPECT_EQ(receive([](const Exit& exit) { return exit.reason; }),
            ExitReason::term("{bad_event,Tick,One}"));
}

}  // namespace
}  // namespace coterie
