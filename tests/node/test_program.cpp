// A program as a user writes one, for program_test.cpp: boxes of cluster scope that answer, refuse,
// stall, hang and crash, and a greeter on every node.

#include <stdexcept>
#include <thread>

#include <coterie/gen_server.hpp>
#include <coterie/program.hpp>

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
  using Calls = Messages<Hello>;
  std::string handle_call(const Hello& hello) { return "hello " + hello.name; }
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
                 .starting_message = "boxes.put"}}};
  return coterie::run_program(argc, argv, {.name = "trials", .applications = {trials}});
}
