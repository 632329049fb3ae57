// Functions and servers of other nodes: a census over a cluster. Every node counts its own people,
// and any of them asks all the others at once; a clerk is hired on a node by name, and its end is
// seen from wherever it was hired. tests/examples/census_example_test.cpp runs it on two nodes.
//
//   build/examples/census node --config cluster-configs/local-3.toml --name a &  # ... b, c
//   build/examples/census call --config cluster-configs/local-3.toml census@a total
//
// The cluster file must allow it: [security] erpc_from = ["*"], spawn_from = ["*"].

#include <coterie/nodes.hpp>
#include <coterie/program.hpp>
#include <coterie/remote_start.hpp>

namespace {

using namespace std::chrono_literals;
using namespace coterie;

/// What each node answers for itself.
struct Count {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "census.count";
  std::string profession;
};

std::int64_t count(const Count& asked) {
  if (asked.profession == "witch") throw std::invalid_argument("nobody admits to that");
  return get_env<std::int64_t>("census", "people").value_or(1);
}

/// A server that is started on a node by name. It counts what it is given.
class Clerk final : public GenServer {
 public:
  struct File {
    using Reply = std::string;
    static constexpr std::string_view type_name = "clerks.file";
    std::string form;
  };
  using Calls = Messages<File>;
  Clerk(std::string, NoArguments) {}
  std::string handle_call(const File& file) {
    if (file.form.empty()) throw std::runtime_error("an empty form");
    return file.form + " is number " + std::to_string(++filed_) + " on " + node_name();
  }

 private:
  int filed_ = 0;
};

class Census final : public GenServer {
 public:
  struct Total {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "census.total";
    std::string profession = "baker";
  };
  struct Hire {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "census.hire";
    std::string node;
  };
  using Calls = Messages<Total, Hire>;
  using Infos = Messages<Exit>;

  std::vector<std::string> handle_call(const Total& total) {
    std::vector<std::string> asked = nodes();
    asked.push_back(node_name());
    asked.push_back("atlantis");
    std::vector<std::string> lines;
    std::int64_t sum = 0;
    for (const auto& [node, result] : erpc::multicall(asked, Count{total.profession}, 2s)) {
      lines.push_back(node + ": " + (result ? std::to_string(*result) : why(result.error())));
      sum += result.value_or(0);
    }
    lines.push_back("together: " + std::to_string(sum));
    return lines;
  }

  std::vector<std::string> handle_call(const Hire& hire) {
    const auto clerk = start_link_on(hire.node, "clerks");
    if (!clerk) return {std::string(to_string(clerk.error().code)) + ": " + clerk.error().detail};
    std::vector<std::string> lines;
    for (const std::string form : {"form A", "form B"}) {
      lines.push_back(call(*clerk, Clerk::File{form}).value());
    }
    const auto failed = call(*clerk, Clerk::File{});  // ends the clerk, and tells us by the link
    lines.push_back("the clerk: " + to_string(failed.error().reason()));
    return lines;
  }
  void handle_info(const Exit&) {}

 private:
  static std::string why(const erpc::Error& error) {
    // Whether it ran is what a retry depends on.
    const std::string ran = error.maybe_executed() ? "may have run" : "certainly did not run";
    if (error.error_class() == erpc::Error::Class::erpc) {
      return std::string(to_string(error.call().code())) + ", " + ran;
    }
    return std::string(to_string(error.error_class())) + " " + to_string(error.reason());
  }
};

}  // namespace

int main(int argc, char** argv) {
  const Application census{.name = "census",
                           .children =
                               [] {
                                 return std::vector{child<Census>(
                                     "census", {.name = local("census"), .trap_exit = true})};
                               },
                           .functions = {erpc::function<Count>(count)},
                           .startable = {kind<Clerk, NoArguments>("clerks")}};
  return run_program(argc, argv, {.name = "census", .applications = {census}});
}
