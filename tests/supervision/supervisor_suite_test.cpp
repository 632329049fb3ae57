// What OTP's supervisor_SUITE checks beyond supervisor_test.cpp and supervisor_otp_test.cpp: what
// is kept of temporary children, ends that cross a stop, siblings that fail while they come back,
// significant children. On virtual time. docs/semantics.md says which cases have a counterpart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/supervisor.hpp>

#include "tests/process/sim_fixture.hpp"
#include "tests/supervision/children.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::child_of;
using test::end;
using test::fails_again;
using test::Ids;
using test::ids;
using test::sleeper;
using test::spec_of;
using test::VirtualNode;
using testing::ElementsAre;
using testing::IsEmpty;
using Code = ChildError::Code;

constexpr Strategy strategies[] = {Strategy::one_for_one, Strategy::one_for_all,
                                   Strategy::rest_for_one};
constexpr Restart restarts[] = {Restart::permanent, Restart::transient, Restart::temporary};

struct Stop {};
/// Ends normally when it is told to.
StartResult obedient() {
  return spawn_link([] { receive([](const Stop&) {}); });
}
void end_normally(const Pid& pid) {
  const Ref ref = monitor(pid);
  send(pid, Stop{});
  EXPECT_EQ(receive_down(ref, 1s)->reason, ExitReason::normal());
}

struct SupervisorSuite : testing::Test {
  VirtualNode node;

  static Pid start(std::vector<ChildSpec> children, SupervisorOptions options = {}) {
    return Supervisor::start(std::move(children), std::move(options)).value();
  }
  static bool ends_with_shutdown(Ref supervisor) {
    const auto down = receive_down(supervisor, 10s);
    return down && down->reason == ExitReason::shutdown();
  }
  std::size_t reports(std::string_view context) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        node.sink.entries(), [&](const auto& e) { return e.field("context") == context; }));
  }
};

// do_not_save_child_specs_for_temporary_children: gone with their child, however it went.
TEST_F(SupervisorSuite, SpecsOfTemporaryChildrenGoWithThem) {
  for (const Strategy strategy : strategies) {
    const Pid supervisor = start({}, {.strategy = strategy, .max_restarts = 20});
    for (const Restart restart : restarts) {
      const ChildSpec spec =
          spec_of(std::string(to_string(restart)), obedient, {.restart = restart});
      const auto again = [&] { return Supervisor::start_child(supervisor, spec); };
      const auto add = [&] {
        Supervisor::terminate_child(supervisor, spec.id);
        Supervisor::delete_child(supervisor, spec.id);
        return again().value();
      };
      const bool temporary = restart == Restart::temporary;
      for (const ExitReason& reason : {ExitReason::kill(), ExitReason::term("abnormal")}) {
        end(add(), reason);
        EXPECT_EQ(again() ? Code::unknown : again().error().code,
                  temporary ? Code::unknown : Code::already_started);
      }
      end_normally(add());
      const auto after_normal = again();
      EXPECT_EQ(after_normal ? Code::unknown : after_normal.error().code,
                temporary                       ? Code::unknown
                : restart == Restart::permanent ? Code::already_started
                                                : Code::already_present);
      add();
      EXPECT_TRUE(Supervisor::terminate_child(supervisor, spec.id));
      EXPECT_EQ(Supervisor::get_childspec(supervisor, spec.id).has_value(), !temporary);
    }
    EXPECT_TRUE(Supervisor::stop(supervisor));
  }
}

// do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption.
TEST_F(SupervisorSuite, WhatATemporaryChildWasStartedWithIsGivenBack) {
  const auto held_by = [](const Pid& supervisor, Restart restart, auto add) {
    auto large = std::make_shared<std::string>(1 << 20, 'x');
    add(supervisor, spec_of("large", [large] { return sleeper(); }, {.restart = restart}));
    return large.use_count() - 1;
  };
  const Pid fixed = start({}), dynamic = DynamicSupervisor::start({}).value();
  for (const Restart restart : restarts) {
    const long kept = restart == Restart::temporary ? 0 : 1;
    EXPECT_EQ(held_by(fixed, restart,
                      [](const Pid& to, ChildSpec spec) {
                        spec.id += to_string(spec.restart);
                        EXPECT_TRUE(Supervisor::start_child(to, std::move(spec)));
                      }),
              kept);
    EXPECT_EQ(held_by(dynamic, restart,
                      [](const Pid& to, ChildSpec spec) {
                        EXPECT_TRUE(DynamicSupervisor::start_child(to, std::move(spec)));
                      }),
              kept);
  }
  // As OTP's {M,F,undefined}: it can be read, and not be started again.
  const ChildSpec read = Supervisor::get_childspec(fixed, "largetemporary").value();
  EXPECT_FALSE(read.start);
  EXPECT_EQ(Supervisor::start_child(start({}), read).error().code, Code::bad_spec);
}

// sup_stop_race: children that end in their own way while the supervisor stops another one.
TEST_F(SupervisorSuite, EndsThatCrossAStopAreTakenAsTheyAre) {
  const ExitReason reasons[] = {ExitReason::normal(), ExitReason::shutdown(),
                                ExitReason::shutdown("test"), ExitReason::term("other")};
  const Pid supervisor = start({spec_of("first", sleeper)});
  std::vector<std::pair<Ref, ExitReason>> ends;
  std::vector<Pid> children;
  for (const Restart restart : restarts) {
    for (const ExitReason& reason : reasons) {
      const std::string id = std::to_string(children.size());
      children.push_back(Supervisor::start_child(supervisor, spec_of(id,
                                                                     [reason] {
                                                                       return spawn_link([reason] {
                                                                         receive(
                                                                             [](const Stop&) {});
                                                                         exit(reason);
                                                                       });
                                                                     },
                                                                     {.restart = restart}))
                             .value());
      ends.emplace_back(monitor(children.back()), reason);
    }
  }
  // The last one is stopped first, and takes its time.
  const auto slow = [] {
    return spawn_link(
        [] {
          receive([](const Exit&) {});
          sleep(1s);
          exit(ExitReason::shutdown());
        },
        {.trap_exit = true});
  };
  const Pid last = Supervisor::start_child(supervisor, spec_of("last", slow)).value();
  const Ref last_end = monitor(last), supervisors_end = monitor(supervisor);
  spawn([children] {
    sleep(200ms);
    for (const Pid& child : children) send(child, Stop{});
  });
  spawn([supervisor] { EXPECT_TRUE(Supervisor::stop(supervisor, ExitReason::shutdown())); });
  for (const auto& [ref, reason] : ends) EXPECT_EQ(receive_down(ref, 10s)->reason, reason);
  EXPECT_EQ(receive_down(last_end, 10s)->reason, ExitReason::shutdown());
  EXPECT_TRUE(ends_with_shutdown(supervisors_end));
  // Wrong: normal of a permanent child, {shutdown,_} of it, and `other` of all three.
  EXPECT_EQ(reports("shutdown_error"), 5u);
}

// sup_start_ignore_*, sup_start_child_returns_error, already_started_outside_supervisor.
TEST_F(SupervisorSuite, AChildWhoseNameIsTakenIsNotStarted) {
  const Pid holder = spawn([] { sleep(infinity); });
  ASSERT_TRUE(register_name("taken", holder));
  class Named final : public GenServer {};
  const ChildSpec spec = child<Named>("named", {.name = local("taken")});
  const Pid supervisor = start({});
  const auto refused = Supervisor::start_child(supervisor, spec);
  EXPECT_EQ(refused.error().code, Code::already_started);
  EXPECT_EQ(refused.error().pid, holder);
  EXPECT_THAT(ids(supervisor), IsEmpty());
  const auto whole = Supervisor::start({spec});
  EXPECT_EQ(to_string(whole.error().reason),
            "{shutdown,{failed_to_start_child,named,{already_started," + to_string(holder) + "}}}");
  end(holder, ExitReason::kill());
  EXPECT_TRUE(Supervisor::start_child(supervisor, spec));
}

// child_adm.
TEST_F(SupervisorSuite, AnswersOfWhatIsNotThere) {
  const Pid supervisor = start({spec_of("a", sleeper)});
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a")) << "what is stopped may be stopped";
  EXPECT_EQ(Supervisor::delete_child(supervisor, "b").error().code, Code::not_found);
  EXPECT_EQ(Supervisor::restart_child(supervisor, "b").error().code, Code::not_found);
  EXPECT_EQ(Supervisor::which_children(local("nobody")).error().code, Code::unavailable);
  EXPECT_EQ(Supervisor::start_child(local("nobody"), spec_of("a", sleeper)).error().code,
            Code::unavailable);
}

// one_for_all_other_child_fails_restart, rest_for_one_other_child_fails_restart.
TEST_F(SupervisorSuite, ASiblingThatFailsToComeBackTakesItsOwnWithIt) {
  for (const Strategy strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
    std::vector<std::string> log;
    const auto logs = [&log](const std::string& id, std::function<StartResult()> run) {
      return spec_of(id, [&log, id, run = std::move(run)] {
        log.push_back(id);
        return run();
      });
    };
    const Pid supervisor =
        start({logs("a", sleeper), logs("b", fails_again(1)), logs("c", sleeper)},
              {.strategy = strategy});
    log.clear();
    const Ref ref = monitor(child_of(supervisor, "c"));
    end(child_of(supervisor, "a"), ExitReason::term("crash"));
    EXPECT_EQ(receive_down(ref, 1s)->reason, ExitReason::shutdown());
    EXPECT_EQ(ids(supervisor), (Ids{"a", "b", "c"}));
    // All begin again with one_for_all; with rest_for_one what stands before it stays.
    if (strategy == Strategy::one_for_all) {
      EXPECT_THAT(log, ElementsAre("a", "b", "a", "b", "c"));
    } else {
      EXPECT_THAT(log, ElementsAre("a", "b", "b", "c"));
    }
    EXPECT_TRUE(Supervisor::stop(supervisor));
  }
}

// hanging_restart_loop_rest_for_one: while one is tried again those after it do not run.
TEST_F(SupervisorSuite, BehindOneThatIsTriedAgainNobodyRuns) {
  ChildSpec again = spec_of("b", fails_again(1'000));
  again.backoff = {.min = 1s, .max = 1s};  // or on virtual time it has failed for good in no time
  const Pid supervisor = start({spec_of("a", sleeper), again, spec_of("c", sleeper)},
                               {.strategy = Strategy::rest_for_one, .max_restarts = 1'000});
  const Pid a = child_of(supervisor, "a");
  end(child_of(supervisor, "b"), ExitReason::term("crash"));
  sleep(5s);
  EXPECT_EQ(ids(supervisor), (Ids{"a", "b restarting", "c stopped"}));
  EXPECT_EQ(Supervisor::count_children(supervisor)->active, 1u);
  EXPECT_EQ(Supervisor::count_children(supervisor)->workers, 3u);
  EXPECT_EQ(Supervisor::start_child(supervisor, spec_of("b", sleeper)).error().code,
            Code::already_present);
  EXPECT_EQ(Supervisor::restart_child(supervisor, "b").error().code, Code::restarting);
  EXPECT_EQ(Supervisor::delete_child(supervisor, "b").error().code, Code::restarting);
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "b"));
  EXPECT_EQ(ids(supervisor), (Ids{"a", "b stopped", "c stopped"}));
  EXPECT_TRUE(Supervisor::restart_child(supervisor, "c"));
  EXPECT_EQ(child_of(supervisor, "a"), a);
  EXPECT_TRUE(Supervisor::stop(supervisor));
}

// order_of_children.
TEST_F(SupervisorSuite, StopsInReverseAndStartsInOrderWithinTheRest) {
  std::vector<std::string> log;
  std::vector<ChildSpec> specs;
  for (const std::string id : {"ch7", "ch3", "ch10", "ch2", "ch5"}) {
    specs.push_back(spec_of(id, [&log, id] {
      log.push_back("+" + id);
      return spawn_link(
          [&log, id] {
            receive([](const Exit&) {});
            log.push_back("-" + id);
            exit(ExitReason::shutdown());
          },
          {.trap_exit = true});
    }));
  }
  const Pid supervisor = start(specs, {.strategy = Strategy::rest_for_one});
  log.clear();
  end(child_of(supervisor, "ch10"), ExitReason::kill());
  EXPECT_EQ(ids(supervisor).size(), 5u);
  EXPECT_THAT(log, ElementsAre("-ch5", "-ch2", "+ch10", "+ch2", "+ch5"));
  log.clear();
  EXPECT_TRUE(Supervisor::stop(supervisor));
  EXPECT_THAT(log, ElementsAre("-ch5", "-ch2", "-ch10", "-ch3", "-ch7"));
}

// multiple_restarts: restarts that are far enough from each other go on for ever.
TEST_F(SupervisorSuite, RestartsWithinTheIntensityNeverEndIt) {
  const Pid supervisor = start({spec_of("a", sleeper)}, {.max_restarts = 1, .max_seconds = 1s});
  for (int i = 0; i < 20; ++i) {
    const Pid a = child_of(supervisor, "a");
    ASSERT_TRUE(a) << i;
    end(a, ExitReason::term("abnormal"));
    sleep(2100ms);
  }
  EXPECT_TRUE(is_alive(supervisor));
}

// tree: a supervisor that comes back has the children of its specs, not those added since.
TEST_F(SupervisorSuite, AddedChildrenAreNotPartOfARestart) {
  const Pid top = start({Supervisor::child_spec("inner", {spec_of("own", sleeper)}),
                         Supervisor::child_spec("empty", std::vector<ChildSpec>{})},
                        {.strategy = Strategy::one_for_all});
  for (const std::string id : {"inner", "empty"}) {
    EXPECT_TRUE(Supervisor::start_child(child_of(top, id), spec_of("added", sleeper)));
  }
  end(child_of(top, "inner"), ExitReason::kill());
  EXPECT_EQ(ids(child_of(top, "inner")), Ids{"own"});
  EXPECT_THAT(ids(child_of(top, "empty")), IsEmpty());
}

// simple_global_supervisor: a supervisor that was killed comes back, with a child whose name its
// old one had.
TEST(SupervisorSuiteSeeds, AKilledSupervisorComesBackWithItsNames) {
  class Named final : public GenServer {};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    VirtualNode node(seed);
    const Pid top =
        Supervisor::start(
            {Supervisor::child_spec("middle", {child<Named>("server", {.name = local("server")})})})
            .value();
    for (int i = 0; i < 2; ++i) {
      const Pid old = whereis("server").value();
      end(child_of(top, "middle"), ExitReason::kill());
      sleep(1ms);
      ASSERT_TRUE(is_alive(top)) << seed;
      ASSERT_TRUE(whereis("server")) << seed;
      EXPECT_NE(*whereis("server"), old);
      EXPECT_EQ(child_of(child_of(top, "middle"), "server"), *whereis("server"));
      sleep(1min);
    }
  }
}

// ---- significant children

struct Significant : SupervisorSuite {
  static ChildSpec of(std::string id, Restart restart, bool significant) {
    return spec_of(std::move(id), obedient, {.restart = restart, .significant = significant});
  }
  static constexpr AutoShutdown all_modes[] = {AutoShutdown::never, AutoShutdown::any_significant,
                                               AutoShutdown::all_significant};
};

// child_specs_map: which combinations are refused.
TEST_F(Significant, OnlyWhereItCanEndTheSupervisor) {
  for (const AutoShutdown mode : all_modes) {
    for (const Restart restart : restarts) {
      for (const bool significant : {false, true}) {
        const bool bad =
            significant && (mode == AutoShutdown::never || restart == Restart::permanent);
        const ChildSpec spec = of("a", restart, significant);
        EXPECT_EQ(Supervisor::check_childspecs({{spec}}, mode).has_value(), bad);
        const auto started = Supervisor::start({spec}, {.auto_shutdown = mode});
        EXPECT_EQ(started.has_value(), !bad);
        if (started) {
          EXPECT_TRUE(Supervisor::stop(*started));
        }
      }
    }
  }
}

// nonsignificant_temporary, nonsignificant_transient.
TEST_F(Significant, OthersNeverEndTheSupervisor) {
  for (const AutoShutdown mode : all_modes) {
    for (const Restart restart : {Restart::temporary, Restart::transient}) {
      const Pid supervisor = start({}, {.max_restarts = 5, .auto_shutdown = mode});
      const auto add = [&] {
        Supervisor::delete_child(supervisor, "a");
        return Supervisor::start_child(supervisor, of("a", restart, false)).value();
      };
      add();
      EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
      end(add(), ExitReason::kill());
      EXPECT_EQ(ids(supervisor).size(), restart == Restart::transient ? 1u : 0u);
      if (restart == Restart::transient) {
        end_normally(child_of(supervisor, "a"));
      } else {
        end_normally(add());
      }
      sleep(1s);
      EXPECT_TRUE(is_alive(supervisor));
      EXPECT_TRUE(Supervisor::stop(supervisor));
    }
  }
}

// significant_temporary: any end of its own, but not terminate_child.
TEST_F(Significant, ATemporaryOneEndsItByAnyEnd) {
  for (const ExitReason& reason :
       {ExitReason::kill(), ExitReason::term("abnormal"), ExitReason::normal()}) {
    const Pid supervisor =
        start({of("a", Restart::temporary, true), of("b", Restart::temporary, true),
               of("c", Restart::temporary, false)},
              {.auto_shutdown = AutoShutdown::any_significant});
    const Ref ref = monitor(supervisor), c = monitor(child_of(supervisor, "c"));
    EXPECT_TRUE(Supervisor::terminate_child(supervisor, "b"));
    sleep(1s);
    EXPECT_EQ(ids(supervisor), (Ids{"a", "c"}));
    if (reason == ExitReason::normal()) {
      end_normally(child_of(supervisor, "a"));
    } else {
      end(child_of(supervisor, "a"), reason);
    }
    EXPECT_EQ(receive_down(c, 1s)->reason, ExitReason::shutdown());
    EXPECT_TRUE(ends_with_shutdown(ref));
  }
}

// significant_transient: an abnormal end is a restart, an orderly one ends the supervisor.
TEST_F(Significant, ATransientOneEndsItByAnOrderlyEnd) {
  for (const AutoShutdown mode : {AutoShutdown::any_significant, AutoShutdown::all_significant}) {
    const Pid supervisor =
        start({of("a", Restart::transient, true), of("b", Restart::transient, true),
               of("c", Restart::transient, false)},
              {.max_restarts = 5, .auto_shutdown = mode});
    const Ref ref = monitor(supervisor);
    end(child_of(supervisor, "a"), ExitReason::kill());
    end(child_of(supervisor, "a"), ExitReason::term("abnormal"));
    end_normally(child_of(supervisor, "c"));
    EXPECT_EQ(ids(supervisor), (Ids{"a", "b", "c stopped"}));
    end_normally(child_of(supervisor, "a"));
    if (mode == AutoShutdown::all_significant) {
      sleep(1s);
      EXPECT_EQ(ids(supervisor), (Ids{"a stopped", "b", "c stopped"}));
      end_normally(child_of(supervisor, "b"));
    }
    EXPECT_TRUE(ends_with_shutdown(ref));
  }
}

// significant_bystander: who is stopped with a failed sibling has not ended on its own.
TEST_F(Significant, ABystanderEndsNothing) {
  for (const Strategy strategy : strategies) {
    for (const AutoShutdown mode : {AutoShutdown::any_significant, AutoShutdown::all_significant}) {
      const Pid supervisor =
          start({of("a", Restart::transient, true), of("b", Restart::transient, false),
                 of("c", Restart::transient, true)},
                {.strategy = strategy, .auto_shutdown = mode});
      end(child_of(supervisor, "b"), ExitReason::kill());
      sleep(1s);
      EXPECT_EQ(ids(supervisor), (Ids{"a", "b", "c"}));
      EXPECT_TRUE(Supervisor::stop(supervisor));
    }
  }
}

// significant_escalation.
TEST_F(Significant, ASupervisorMayBeSignificantItself) {
  for (const bool significant : {true, false}) {
    ChildSpec inner = Supervisor::child_spec("inner", {of("leaf", Restart::transient, true)},
                                             {.auto_shutdown = AutoShutdown::any_significant});
    inner = Supervisor::child_spec(std::move(inner),
                                   {.restart = Restart::transient, .significant = significant});
    const Pid outer = start({inner}, {.auto_shutdown = AutoShutdown::any_significant});
    const Ref outer_end = monitor(outer), inner_end = monitor(child_of(outer, "inner"));
    end_normally(child_of(child_of(outer, "inner"), "leaf"));
    EXPECT_EQ(receive_down(inner_end, 1s)->reason, ExitReason::shutdown());
    if (significant) {
      EXPECT_TRUE(ends_with_shutdown(outer_end));
    } else {
      EXPECT_EQ(ids(outer), Ids{"inner stopped"});
    }
  }
}

}  // namespace
}  // namespace coterie
