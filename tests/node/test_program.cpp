// A program as a user writes one, for program_test.cpp: boxes of cluster scope that answer, refuse,
// stall, hang and crash, and a greeter on every node.

#include <stdexcept>
#include <thread>

#include <coterie/gen_server.hpp>
#include <coterie/program.hpp>
#include <coterie/remote_start.hpp>
#include <coterie/sys.hpp>

namespace {

using namespace std::chrono_literals;

class Box final : public coterie::GenServer {
 public:
  struct Put {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "boxes.put";
    std::int64_t value = 0;
  };
  struct Empty {
    std::string code = "empty";
    std::int64_t size = 0;
  };
  struct Take {
    using Reply = std::expected<std::int64_t, Empty>;
    static constexpr std::string_view type_name = "boxes.take";
  };
  struct Stall {
    using Reply = void;
    static constexpr std::string_view type_name = "boxes.stall";
  };
  struct Crash {
    using Reply = void;
    static constexpr std::string_view type_name = "boxes.crash";
  };
  struct Spin {
    using Reply = void;
    static constexpr std::string_view type_name = "boxes.spin";
  };
  struct Close {
    using Reply = void;
    static constexpr std::string_view type_name = "boxes.close";
  };
  using Calls = Messages<Put, Take, Stall, Spin, Crash, Close>;

  Box(std::string, coterie::NoArguments) {}
  std::int64_t handle_call(const Put& put) {
    held_.push_back(put.value);
    return static_cast<std::int64_t>(held_.size());
  }
  Take::Reply handle_call(const Take&) {
    if (held_.empty()) return std::unexpected(Empty{});
    const std::int64_t value = held_.back();
    held_.pop_back();
    return value;
  }
  void handle_call(const Stall&) { coterie::sleep(60s); }
  void handle_call(const Spin&) {
    for (;;) std::this_thread::sleep_for(1s);  // holds its worker, as an endless loop does
  }
  Outcome<coterie::Nothing> handle_call(const Close&) {
    return stop(coterie::ExitReason::normal(), coterie::Nothing{});
  }
  void handle_call(const Crash&) { throw std::runtime_error("the bottom fell out"); }

 private:
  std::vector<std::int64_t> held_;
};

class Greeter final : public coterie::GenServer {
 public:
  struct Hello {
    using Reply = std::string;
    static constexpr std::string_view type_name = "greeter.hello";
    std::string name = "you";
  };
  struct StatusOf {  // of the greeter there
    using Reply = std::string;
    static constexpr std::string_view type_name = "greeter.status_of";
    std::string node;
  };
  struct GreetAt {  // by its registered function
    using Reply = std::string;
    static constexpr std::string_view type_name = "greeter.greet_at";
    std::string node;
  };
  struct StartAt {  // another greeter
    using Reply = std::string;
    static constexpr std::string_view type_name = "greeter.start_at";
    std::string node;
  };
  using Calls = Messages<Hello, StatusOf, GreetAt, StartAt>;

  Greeter() = default;
  Greeter(std::string, coterie::NoArguments) {}
  std::string handle_call(const Hello& hello) { return "hello " + hello.name; }
  std::string handle_call(const StatusOf& of) {
    const auto status = coterie::sys::get_status(coterie::at("greeter", of.node));
    return status ? status->name : to_string(status.error());
  }
  std::string handle_call(const GreetAt& at) {
    const auto greeting = coterie::erpc::call(at.node, Hello{coterie::node_name()});
    return greeting ? *greeting : to_string(greeting.error());
  }
  std::string handle_call(const StartAt& at) {
    const auto started = coterie::start_link_on(at.node, "greeters");
    return started ? call(*started, Hello{"child"}).value() : to_string(started.error());
  }
};

}  // namespace

int main(int argc, char** argv) {
  const coterie::Application trials{
      .name = "trials",
      .children =
          [] {
            return std::vector{
                coterie::child<Greeter>("greeter", {.name = coterie::local("greeter")})};
          },
      .kinds = {{.kind = coterie::kind<Box, coterie::NoArguments>("boxes"),
                 .starting_message = "boxes.put"}},
      .functions = {coterie::erpc::function<Greeter::Hello>([](const Greeter::Hello& hello) {
        return "hello " + hello.name + " from " + coterie::node_name();
      })},
      .startable = {coterie::kind<Greeter, coterie::NoArguments>("greeters")}};
  return coterie::run_program(argc, argv, {.name = "trials", .applications = {trials}});
}
