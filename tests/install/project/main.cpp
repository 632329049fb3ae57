// A counter for every name, on a cluster: `counters call --config ... counters/visits add` counts,
// whichever node is asked, and the name is there again when its node has died.

#include <coterie/gen_server.hpp>
#include <coterie/program.hpp>

class Counter final : public coterie::GenServer {
 public:
  struct Add {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counters.add";
    std::int64_t by = 1;
  };
  struct Get {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counters.get";
  };
  using Calls = Messages<Add, Get>;

  Counter(std::string, coterie::NoArguments) {}
  std::int64_t handle_call(const Add& add) { return count_ += add.by; }
  std::int64_t handle_call(const Get&) { return count_; }

 private:
  std::int64_t count_ = 0;
};

int main(int argc, char** argv) {
  const coterie::Application counters{
      .name = "counters",
      .kinds = {{.kind = coterie::kind<Counter, coterie::NoArguments>("counters"),
                 .starting_message = "counters.add"}}};
  return coterie::run_program(argc, argv, {.name = "counters", .applications = {counters}});
}
