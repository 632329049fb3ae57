// The census of examples/census on two nodes of a real cluster: what it prints, word by word.

#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

class CensusExample : public ProgramTest {
 protected:
  void make_census(const std::string& security) {
    const std::string file = write(
        "census.toml", "[cluster]\nid = \"census\"\njournal = \"sqlite:journal\"\n" + security +
                           "[applications.census]\npeople = 40\n"
                           "[[node]]\nname = \"a\"\nlisten = \"127.0.0.1:7001\"\n"
                           "client_listen = \"127.0.0.1:7002\"\n"
                           "[[node]]\nname = \"b\"\nlisten = \"127.0.0.1:7003\"\n"
                           "client_listen = \"127.0.0.1:7004\"\n");
    LocalClusterOptions options;
    options.config_file = file;
    options.directory = root_;
    options.program = program;
    auto made = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
    start({"a", "b"});
  }
};

TEST_F(CensusExample, AsksAllNodesAndHiresAClerk) {
  make_census("[security]\nerpc_from = [\"*\"]\nspawn_from = [\"a\"]\n");
  EXPECT_EQ(call({"census@a", "total"}).out,
            R"(["b: 40","a: 40","atlantis: nodedown, certainly did not run","together: 80"])"
            "\n");
  const std::string refused = R"(error {error,std::invalid_argument,\"nobody admits to that\"})";
  EXPECT_EQ(call({"census@a", "total", R"({"profession": "witch"})"}).out,
            "[\"b: " + refused + "\",\"a: " + refused +
                "\",\"atlantis: nodedown, certainly did not run\",\"together: 0\"]\n");
  EXPECT_EQ(call({"census@a", "hire", R"({"node": "b"})"}).out,
            R"(["form A is number 1 on b","form B is number 2 on b",)"
            R"("the clerk: {error,std::runtime_error,\"an empty form\"}"])"
            "\n");
  EXPECT_THAT(call({"census@b", "hire", R"({"node": "a"})"}).out,
              HasSubstr("starts of servers from node b are refused"));
  EXPECT_TRUE(cluster_->stop_all(60s));
}

}  // namespace
}  // namespace coterie
