#include "tests/house/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/house/tables.hpp"

namespace coterie::house {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::size_t> lines_of(const Violations& violations) {
  std::vector<std::size_t> lines;
  for (const auto& violation : violations) lines.push_back(violation.line);
  return lines;
}

/// The number of violations when `path` holds just this include.
std::size_t layer_violations(std::string path, const std::string& include) {
  return check_layers(parse(std::move(path), "#include " + include + "\n")).size();
}

TEST(HouseSource, BlanksCommentsAndLiteralsOnly) {
  const Source source = parse("process/x.cpp",
                              "a // getenv\n"
                              "/* getenv\n getenv */ b\n"
                              "\"getenv \\\" getenv\" c 'g' 1'000 d\n"
                              "auto r = R\"x(getenv\n\")\" getenv)x\"; e\n");
  std::string all;
  for (const auto& line : source.code) all += line + '\n';
  EXPECT_EQ(all.find("getenv"), std::string::npos) << all;
  for (const char* kept : {"a ", " b", " c ", "1'000 d", "auto r = ", "; e"}) {
    EXPECT_NE(all.find(kept), std::string::npos) << kept << " in " << all;
  }
  EXPECT_EQ(source.code.size(), source.lines.size());
}

TEST(HouseSource, FindsIncludesButNotThoseInComments) {
  const Source source =
      parse("process/x.cpp", "#include <vector>\n// #include <thread>\n  # include \"a/b.hpp\"\n");
  ASSERT_EQ(source.includes.size(), 2u);
  EXPECT_EQ(source.includes[0].path, "vector");
  EXPECT_FALSE(source.includes[0].quoted);
  EXPECT_EQ(source.includes[1].path, "a/b.hpp");
  EXPECT_TRUE(source.includes[1].quoted);
  EXPECT_EQ(source.includes[1].line, 3u);
}

TEST(HouseSource, MentionsWholeWords) {
  EXPECT_TRUE(mentions("x = getenv(a)", "getenv"));
  EXPECT_TRUE(mentions("std::getenv", "getenv"));
  EXPECT_FALSE(mentions("my_getenv(a)", "getenv"));
  EXPECT_FALSE(mentions("getenvoy", "getenv"));
  EXPECT_TRUE(mentions("if (::open(path))", "::open"));
  EXPECT_FALSE(mentions("Streams::open(path)", "::open"));
  EXPECT_FALSE(mentions("Store<T>::open(path)", "::open"));
  EXPECT_TRUE(mentions("std::chrono::steady_clock::now()", "steady_clock::now"));
}

TEST(HouseLayers, EveryEdgeOfTheTableHoldsAndNoOther) {
  // Goal: all pairs of modules, with the arrows written once more, independently of the table.
  const std::string order[] = {"process",     "transport", "registry", "journal",
                               "supervision", "node",      "sim"};
  const std::string arrows[] = {"",
                                "process",
                                "process",
                                "process",
                                "process journal",
                                "process transport registry journal supervision",
                                "process transport registry journal supervision node"};
  for (std::size_t from = 0; from < std::size(order); ++from) {
    for (const auto& to : order) {
      const bool allowed = to == order[from] || mentions(arrows[from], to);
      EXPECT_EQ(layer_violations(order[from] + "/x.cpp", "\"" + to + "/y.hpp\""), allowed ? 0u : 1u)
          << order[from] << " -> " << to;
    }
    EXPECT_EQ(layer_violations(order[from] + "/x.cpp", "\"examples/contracts/rules.hpp\""), 1u);
    EXPECT_EQ(layer_violations(order[from] + "/x.cpp", "\"tests/x.hpp\""), 1u);
    EXPECT_EQ(layer_violations(order[from] + "/x.cpp", "<vector>"), 0u);
  }
}

TEST(HouseLayers, PublicHeadersMirrorTheOrder) {
  EXPECT_EQ(layer_violations("process/x.cpp", "<coterie/pid.hpp>"), 0u);
  EXPECT_EQ(layer_violations("process/x.cpp", "<coterie/supervisor.hpp>"), 1u);
  EXPECT_EQ(layer_violations("process/x.cpp", "<coterie/detail/message.hpp>"), 0u);
  EXPECT_EQ(layer_violations("transport/x.cpp", "<coterie/registry.hpp>"), 1u);
  EXPECT_EQ(layer_violations("supervision/x.cpp", "<coterie/journal.hpp>"), 0u);
  EXPECT_EQ(layer_violations("registry/x.cpp", "<coterie/journal.hpp>"), 1u);
  EXPECT_EQ(layer_violations("node/x.cpp", "<coterie/supervisor.hpp>"), 0u);
  EXPECT_EQ(layer_violations("include/coterie/supervisor.hpp", "<coterie/pid.hpp>"), 0u);
  EXPECT_EQ(layer_violations("include/coterie/pid.hpp", "<coterie/supervisor.hpp>"), 1u);
  EXPECT_EQ(layer_violations("include/coterie/pid.hpp", "\"process/envelope.hpp\""), 1u);
  EXPECT_EQ(layer_violations("include/coterie/nobody_knows.hpp", "<vector>"), 1u);
  EXPECT_EQ(layer_violations("process/x.cpp", "<coterie/nobody_knows.hpp>"), 1u);
}

TEST(HouseLayers, ExamplesSeeThePublicApiAndTheirOwnFolder) {
  EXPECT_EQ(layer_violations("examples/contracts/x.cpp", "<coterie/supervisor.hpp>"), 0u);
  EXPECT_EQ(layer_violations("examples/contracts/x.cpp", "\"examples/contracts/rules.hpp\""), 0u);
  EXPECT_EQ(layer_violations("examples/contracts/x.cpp", "\"examples/cache/rules.hpp\""), 1u);
  EXPECT_EQ(layer_violations("examples/contracts/x.cpp", "\"process/envelope.hpp\""), 1u);
}

TEST(HouseLayers, OwnHeadersAreSpelledFromTheRoot) {
  EXPECT_EQ(layer_violations("process/x.cpp", "\"envelope.hpp\""), 1u);
  EXPECT_EQ(layer_violations("process/x.cpp", "\"coterie/pid.hpp\""), 1u);
  EXPECT_EQ(layer_violations("process/x.cpp", "<process/envelope.hpp>"), 1u);
  EXPECT_EQ(layer_violations("node/x.cpp", "\"../process/envelope.hpp\""), 1u);
}

TEST(HouseLayers, TestsAndBenchmarksMayIncludeEverything) {
  EXPECT_EQ(layer_violations("tests/process/x.cpp", "\"sim/y.hpp\""), 0u);
  EXPECT_EQ(layer_violations("bench/x.cpp", "\"sim/y.hpp\""), 0u);
}

TEST(HouseLayers, TheTablesNameOnlyModules) {
  for (const auto& header : public_headers()) {
    EXPECT_TRUE(std::ranges::any_of(modules(), [&](const auto& m) {
      return m.name == header.module;
    })) << header.name;
  }
}

TEST(HouseLibraries, AreKnownInTheirPlaces) {
  const auto violations = [](std::string path, const std::string& header) {
    return check_libraries(parse(std::move(path), "#include <" + header + ">\n")).size();
  };
  EXPECT_EQ(violations("transport/zmq_link.cpp", "zmq.hpp"), 0u);
  EXPECT_EQ(violations("node/x.cpp", "zmq.hpp"), 1u);
  EXPECT_EQ(violations("journal/sqlite.cpp", "sqlite3.h"), 0u);
  EXPECT_EQ(violations("registry/x.cpp", "libpq-fe.h"), 1u);
  EXPECT_EQ(violations("process/log.cpp", "spdlog/logger.h"), 0u);
  EXPECT_EQ(violations("process/log_line.cpp", "spdlog/logger.h"), 1u);
  EXPECT_EQ(violations("node/config.cpp", "toml++/toml.h"), 0u);
  EXPECT_EQ(violations("journal/x.cpp", "CLI/CLI.hpp"), 1u);
  EXPECT_EQ(violations("process/x.cpp", "gtest/gtest.h"), 1u);
  EXPECT_EQ(violations("tests/x.cpp", "gtest/gtest.h"), 0u);
  EXPECT_EQ(violations("node/x.cpp", "nlohmann/json.hpp"), 0u);
  EXPECT_EQ(violations("node/x.hpp", "nlohmann/json.hpp"), 1u);
  EXPECT_EQ(violations("node/x.hpp", "nlohmann/json_fwd.hpp"), 0u);
}

TEST(HouseReach, EveryWordAndHeaderIsFoundOutsideItsImplementation) {
  for (const Reach& reach : reaches()) {
    for (const auto word : reach.words) {
      const std::string line = "  auto x = " + std::string(word) + "(y);\n";
      EXPECT_FALSE(check_reach(parse("registry/x.cpp", line)).empty()) << word;
      EXPECT_THAT(check_reach(parse("tests/registry/x.cpp", line)), IsEmpty()) << word;
      EXPECT_THAT(check_reach(parse("registry/x.cpp", "// " + line)), IsEmpty()) << word;
    }
    for (const auto header : reach.headers) {
      const std::string line = "#include <" + std::string(header) + ">\n";
      EXPECT_THAT(lines_of(check_reach(parse("registry/x.cpp", line))), ElementsAre(1)) << header;
    }
  }
}

TEST(HouseReach, AnImplementationMayReachForItsOwnKindOnly) {
  const std::string clock = "auto t = std::chrono::steady_clock::now();\n";
  const std::string environment = "auto e = getenv(\"HOME\");\n";
  EXPECT_THAT(check_reach(parse("process/system_clock.cpp", clock)), IsEmpty());
  EXPECT_THAT(lines_of(check_reach(parse("process/system_clock.cpp", clock + environment))),
              ElementsAre(2));
  EXPECT_THAT(lines_of(check_reach(parse("registry/agreement.cpp", clock + environment))),
              testing::UnorderedElementsAre(1, 2));
}

TEST(HouseReach, PortsAndValuesAreNotMistakenForTheWorld) {
  EXPECT_THAT(check_reach(parse("registry/x.cpp",
                                "streams.open(name, epoch);\nclock.now();\nrandom.next();\n"
                                "distribution->send(to, envelope);\nstd::mutex m;\n"
                                "std::chrono::system_clock::time_point t;\nstrand.post(job);\n"
                                "auto r = Streams::read(x);\nstd::snprintf(b, n, f);\n")),
              IsEmpty());
}

TEST(HouseReach, ImplementationsNameKnownKindsAndSayWhy) {
  for (const auto& each : implementations()) {
    EXPECT_FALSE(each.why.empty()) << each.path;
    for (const auto what : each.what) {
      EXPECT_TRUE(std::ranges::any_of(reaches(), [&](const auto& r) { return r.what == what; }))
          << each.path << ": " << what;
    }
  }
}

TEST(HouseHeader, StartsWithPragmaAndAComment) {
  EXPECT_THAT(check_header(parse("a/x.hpp", "#pragma once\n// A thing.\n")), IsEmpty());
  EXPECT_THAT(lines_of(check_header(parse("a/x.hpp", "// A thing.\n#pragma once\n"))),
              ElementsAre(1));
  EXPECT_THAT(lines_of(check_header(parse("a/x.hpp", "#pragma once\n\nint f();\n"))),
              ElementsAre(2));
  EXPECT_THAT(
      lines_of(check_header(parse(
          "a/x.hpp", "#pragma once\n// A thing.\n// using namespace x\nusing namespace x;\n"))),
      ElementsAre(4));
  EXPECT_THAT(check_header(parse("a/x.cpp", "using namespace x;\n")), IsEmpty());
}

TEST(HouseTypeNames, RefuseWordsThatSayNothing) {
  const auto violations = [](const std::string& line) {
    return check_type_names(parse("a/x.hpp", line + "\n")).size();
  };
  EXPECT_EQ(violations("class SessionManagers;"), 0u) << "a whole word only";
  EXPECT_EQ(violations("class SessionManager final {"), 0u) << "the seed's own name";
  EXPECT_EQ(violations("class LinkManager {"), 1u);
  EXPECT_EQ(violations("struct HelperImpl;"), 2u);
  EXPECT_EQ(violations("enum class PortHelper : int {"), 1u);
  EXPECT_EQ(violations("using StringUtils = int;"), 1u);
  EXPECT_EQ(violations("template <class Impl>"), 1u);
  EXPECT_EQ(violations("struct Implicit {"), 0u);
  EXPECT_EQ(violations("Manager manager;"), 0u) << "somebody else's type may be used";
  EXPECT_EQ(violations("// class FooManager"), 0u);
}

TEST(HouseText, MarksWidthTabsAndBlanks) {
  const auto lines = [](const std::string& text) {
    return lines_of(check_text(parse("a/x.cpp", text)));
  };
  EXPECT_THAT(lines(std::string(100, 'x') + "\n"), IsEmpty());
  EXPECT_THAT(lines(std::string(101, 'x') + "\n"), ElementsAre(1));
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "ä";
  EXPECT_THAT(lines(wide + "\n"), IsEmpty()) << "columns, not bytes";
  EXPECT_THAT(lines("// https://" + std::string(101, 'x') + "\n"), IsEmpty());
  const std::string off = "// clang-format off\n", on = "// clang-format on\n";
  const std::string too_wide = std::string(101, 'x') + "\n";
  EXPECT_THAT(lines(off + too_wide + on + too_wide), ElementsAre(4));
  EXPECT_THAT(lines("a = R\"(\n" + too_wide + ")\";\n" + too_wide), ElementsAre(4));
  EXPECT_THAT(lines("a\n\tb\n"), ElementsAre(2));
  EXPECT_THAT(lines("a \nb\r\n"), ElementsAre(1, 2));
  EXPECT_THAT(lines("a\nb"), ElementsAre(2));
  EXPECT_THAT(lines(std::string("// TO") + "DO later\n"), ElementsAre(1));
  EXPECT_THAT(lines(std::string("// X") + "XX\nmkdtemp(\"XXXXXX\")\n"), ElementsAre(1));
}

TEST(HouseText, AFileHasABoundedLength) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "x\n";
  EXPECT_THAT(check_text(parse("a/x.cpp", text)), IsEmpty());
  EXPECT_THAT(lines_of(check_text(parse("a/x.cpp", text + "x\n"))), ElementsAre(0));
  EXPECT_THAT(check_text(parse("CMakeLists.txt", text + "x\n")), IsEmpty());
  EXPECT_THAT(check_text(parse("tests/a/x.cpp", text + "x\n")), IsEmpty()) << "tables of cases";
  for (int i = 0; i < 201; ++i) text += "x\n";
  EXPECT_THAT(lines_of(check_text(parse("tests/a/x.cpp", text))), ElementsAre(0));
}

TEST(HouseTests, NoneIsDisabled) {
  const std::string disabled = "TEST(A, DISABLED_B) {}\n";
  EXPECT_THAT(lines_of(check_tests_enabled(parse("tests/a/x.cpp", "x;\n" + disabled))),
              ElementsAre(2));
  EXPECT_THAT(check_tests_enabled(parse("tests/a/x.cpp", "// DISABLED_ is refused\n")), IsEmpty());
}

}  // namespace
}  // namespace coterie::house
