// Applications on one node: order by need, environment, phases, restart types, stop in reverse.

#include <coterie/application.hpp>

#include <gtest/gtest.h>

#include <coterie/node.hpp>
#include <coterie/supervisor.hpp>

#include "node/application_order.hpp"
#include "node/config.hpp"
#include "tests/supervision/worker.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using test::Trace;
using test::worker;
using test::Worker;

Application needs(std::string name, Strings applications) {
  Application made{.name = std::move(name)};
  made.applications = std::move(applications);
  return made;
}

Strings order(std::vector<Application> applications) {
  const auto ordered = application_order(std::move(applications));
  if (!ordered) return {ordered.error()};
  Strings names;
  for (const Application& each : *ordered) names.push_back(each.name);
  return names;
}

TEST(ApplicationOrder, PutsNeedsFirst) {
  EXPECT_EQ(order({needs("a", {}), needs("b", {})}), (Strings{"a", "b"}));
  EXPECT_EQ(order({needs("web", {"shop", "log"}), needs("shop", {"db", "log"}), needs("db", {}),
                   needs("log", {})}),
            (Strings{"db", "log", "shop", "web"}));
  EXPECT_EQ(order({}), Strings{});
}

TEST(ApplicationOrder, SaysWhatIsWrong) {
  EXPECT_EQ(order({needs("a", {"b"}), needs("b", {"c"}), needs("c", {"b"})}),
            Strings{"applications need each other: b -> c -> b; remove one of these needs"});
  EXPECT_EQ(order({needs("a", {"a"})}),
            Strings{"applications need each other: a -> a; remove one of these needs"});
  EXPECT_EQ(order({needs("a", {"x"})}),
            Strings{"application \"a\" needs \"x\", which this program has not: add it to the "
                    "program's applications"});
  EXPECT_EQ(order({needs("a", {}), needs("a", {})}),
            Strings{"two applications are named \"a\": give one another name"});
}

struct ApplicationTest : ::testing::Test {
  Trace trace;  // outlives the node, which stops what a test leaves running
  Node node{{.log_level = LogLevel::off}};
  Attached self = node.attach();

  Application traced(const std::string& name, Strings applications = {}) {
    Application made = needs(name, std::move(applications));
    made.children = [this, name] { return std::vector{worker(name, trace)}; };
    made.prep_stop = [this, name] { trace.add("prep_stop:" + name); };
    made.stop = [this, name] { trace.add("stop:" + name); };
    return made;
  }
};

TEST_F(ApplicationTest, StartsByNeedAndStopsInReverse) {
  const auto started = ensure_all_started({traced("web", {"db"}), traced("db")});
  ASSERT_TRUE(started) << to_string(started.error());
  EXPECT_EQ(trace.take(), "+db +web");
  EXPECT_EQ(started_applications(), (Strings{"db", "web"}));
  EXPECT_EQ(ensure_all_started({}).error().code, StartError::Code::already_started);
  ASSERT_TRUE(GenServer::stop(*started, ExitReason::shutdown(), 10s));
  EXPECT_EQ(trace.take(), "prep_stop:web -web stop:web prep_stop:db -db stop:db");
  EXPECT_EQ(started_applications(), Strings{});
}

TEST_F(ApplicationTest, StopsAndStartsOne) {
  ASSERT_TRUE(ensure_all_started({traced("a"), traced("b")}));
  trace.take();
  ASSERT_TRUE(stop_application("a"));
  EXPECT_EQ(trace.take(), "prep_stop:a -a stop:a");
  EXPECT_EQ(started_applications(), Strings{"b"});
  EXPECT_EQ(stop_application("x").error().code, ChildError::Code::not_found);
  ASSERT_TRUE(start_application("a"));
  EXPECT_EQ(start_application("a").error().code, ChildError::Code::running);
  EXPECT_EQ(trace.take(), "+a");
}

TEST_F(ApplicationTest, AFailedStartStopsTheStarted) {
  auto broken = traced("broken", {"a"});
  broken.children = []() -> std::vector<ChildSpec> { throw std::runtime_error("no disk"); };
  const auto started = ensure_all_started({broken, traced("a")});
  ASSERT_FALSE(started);
  EXPECT_NE(to_string(started.error().reason).find("{failed_to_start_child,broken,"),
            std::string::npos);
  EXPECT_EQ(trace.take(), "+a prep_stop:a -a stop:a");
  const auto cycle = ensure_all_started({needs("a", {"b"}), needs("b", {"a"})});
  EXPECT_NE(cycle.error().detail.find("a -> b -> a"), std::string::npos);
}

TEST_F(ApplicationTest, RunsItsStartPhasesInOrder) {
  auto phased = traced("phased");
  phased.start_phases = {"load", "open"};
  phased.start_phase = [this](std::string_view phase) { trace.add(std::string(phase)); };
  const auto started = ensure_all_started({phased, traced("next")});
  ASSERT_TRUE(started);
  EXPECT_EQ(trace.take(), "+phased load open +next");
  ASSERT_TRUE(GenServer::stop(*started, ExitReason::shutdown(), 10s));
  trace.take();

  phased.start_phase = [](std::string_view phase) {
    if (phase == "open") throw std::runtime_error("port taken");
  };
  const auto failed = ensure_all_started({phased});
  ASSERT_FALSE(failed);
  EXPECT_NE(to_string(failed.error().reason).find("{start_phase,open,"), std::string::npos);
  EXPECT_EQ(trace.take(), "+phased -phased");
}

// permanent, transient, temporary: what the end of an application does to the others.
TEST_F(ApplicationTest, EndsTheOthersByItsRestartType) {
  const auto normal = ExitReason::normal(), shutdown = ExitReason::shutdown();
  const auto crash = ExitReason::term("crash");
  struct Row {
    Restart restart;
    ExitReason reason;
    bool ends;
  };
  for (const Row& row :
       {Row{Restart::permanent, normal, true}, Row{Restart::permanent, crash, true},
        Row{Restart::transient, normal, false}, Row{Restart::transient, shutdown, true},
        Row{Restart::transient, crash, true}, Row{Restart::temporary, crash, false}}) {
    Pid supervisor;
    auto one = traced("one");
    one.restart_type = row.restart;
    one.children = [&supervisor] {
      supervisor = coterie::self();
      return std::vector<ChildSpec>{};
    };
    const Pid all = ensure_all_started({one, traced("other")}).value();
    Pid master;
    const auto children = Supervisor::which_children(all).value();
    for (const auto& child : children) {
      if (child.id == "one") master = child.pid;
    }
    const Ref watch = monitor(all);
    const Ref ended = monitor(master);
    ASSERT_TRUE(GenServer::stop(supervisor, row.reason, 5s));
    receive(when([&](const Down& d) { return d.ref == ended; }, [](const Down&) {}));
    if (!row.ends) {
      // Who has seen the end of the one finds that the others' supervisor knows of it.
      EXPECT_EQ(started_applications(), Strings{"other"});
      ASSERT_TRUE(GenServer::stop(all, shutdown, 5s));
    }
    const auto reason = receive(
        when([&](const Down& d) { return d.ref == watch; }, [](Down d) { return d.reason; }),
        after(10s, [] { return ExitReason::term("alive"); }));
    EXPECT_EQ(reason, shutdown);
    EXPECT_EQ(trace.take(), "+other stop:one prep_stop:other -other stop:other");
  }
}

TEST_F(ApplicationTest, BoundsItsStop) {
  auto stubborn = traced("stubborn");
  stubborn.stop_timeout = 20ms;
  stubborn.prep_stop = [] { sleep(infinity); };
  const auto started = ensure_all_started({traced("a"), stubborn});
  ASSERT_TRUE(started);
  trace.take();
  ASSERT_TRUE(GenServer::stop(*started, ExitReason::shutdown(), 30s));
  // The others are stopped in order all the same.
  EXPECT_NE(trace.take().find("prep_stop:a -a stop:a"), std::string::npos);
}

TEST_F(ApplicationTest, AFailingStopCallbackKeepsNothingFromStopping) {
  auto failing = traced("failing");
  failing.prep_stop = [] { throw std::runtime_error("oops"); };
  const auto started = ensure_all_started({traced("a"), failing});
  trace.take();
  ASSERT_TRUE(GenServer::stop(*started, ExitReason::shutdown(), 10s));
  EXPECT_EQ(trace.take(), "-failing stop:failing prep_stop:a -a stop:a");
}

TEST_F(ApplicationTest, HasAnEnvironment) {
  EXPECT_EQ(get_env<int>("shop", "port", 1), 1);
  EXPECT_THROW(put_env("shop", "port", EnvValue(std::int64_t{1})), std::invalid_argument);
  Application shop{.name = "shop"};
  shop.env = {{"port", std::int64_t{8080}}, {"name", "corner"}, {"limits.interval", "250ms"},
              {"hosts", Strings{"a", "b"}}, {"open", true},     {"rate", 1.5}};
  // It can be read while its children start.
  shop.children = [] {
    EXPECT_EQ(get_env<int>("shop", "port", 1), 9090);
    return std::vector<ChildSpec>{};
  };
  ASSERT_TRUE(ensure_all_started({shop}, {{"shop", {{"port", std::int64_t{9090}}}}}));
  EXPECT_EQ(fetch_env<std::uint16_t>("shop", "port"), 9090);
  EXPECT_EQ(fetch_env<std::string>("shop", "name"), "corner");
  EXPECT_EQ(fetch_env<Duration>("shop", "limits.interval"), 250ms);
  EXPECT_EQ(fetch_env<Strings>("shop", "hosts"), (Strings{"a", "b"}));
  EXPECT_TRUE(fetch_env<bool>("shop", "open"));
  EXPECT_EQ(fetch_env<double>("shop", "rate"), 1.5);
  EXPECT_EQ(get_env<int>("shop", "none"), std::nullopt);
  put_env("shop", "port", EnvValue(std::int64_t{70'000}));
  EXPECT_EQ(fetch_env<int>("shop", "port"), 70'000);
  delete_env("shop", "name");
  EXPECT_EQ(get_env<std::string>("shop", "name"), std::nullopt);
  const auto message = [](auto&& run) {
    try {
      run();
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_EQ(message([] { fetch_env<std::uint16_t>("shop", "port"); }),
            "application shop: port: expected an integer of 0..65535, found 70000");
  EXPECT_EQ(message([] { fetch_env<bool>("shop", "rate"); }),
            "application shop: rate: expected true or false, found 1.5");
  EXPECT_EQ(message([] { fetch_env<int>("shop", "none"); }),
            "application shop: none is not set: give it a default in the application's env, or "
            "write it into [applications.shop]");
}

TEST(ApplicationConfig, TakesAnyKeyOfAnApplication) {
  const auto config = parse_config(R"(
[cluster]
id = "c"
journal = "memory"
[[node]]
name = "a"
listen = "127.0.0.1:7001"
[applications.shop]
port = 8080
hosts = ["a", "b"]
limits = { interval = "250ms" }
)",
                                   "c.toml");
  ASSERT_TRUE(config) << to_string(config.error());
  const auto& shop = config->applications.at("shop");
  EXPECT_EQ(shop.env.size(), 3u);
  EXPECT_EQ(shop.env.at("port"), ConfigValue(std::int64_t{8080}));
  EXPECT_EQ(shop.env.at("limits.interval"), ConfigValue(std::string("250ms")));
  EXPECT_EQ(shop.place.line, 8u);

  const std::string head =
      "[cluster]\nid=\"c\"\njournal=\"memory\"\n[[node]]\nname=\"a\"\n"
      "listen=\"127.0.0.1:7001\"\n";
  EXPECT_EQ(to_string(parse_config("applications = 1\n" + head, "c.toml").error()),
            "c.toml:1:16: applications: expected [applications.NAME], found another value");
  EXPECT_EQ(
      to_string(parse_config(head + "[applications.shop]\nat = 2020-01-01\n", "c.toml").error()),
      "c.toml:8:6: applications.shop.at: expected a value, found a date or time");
  const ConfigOverride change{"applications.shop.limits.most", ConfigValue(std::int64_t{3}), {}};
  const auto changed = parse_config(head, "c.toml", {&change, 1});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->applications.at("shop").env.at("limits.most"), ConfigValue(std::int64_t{3}));
}

}  // namespace
}  // namespace coterie
