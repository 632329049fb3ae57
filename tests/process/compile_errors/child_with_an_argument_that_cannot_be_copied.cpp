// expect: the_arguments_of_a_child_are_copied_for_each_start() [with Server = Counter; Arguments
#include <memory>

#include <coterie/supervisor.hpp>

struct Counter : coterie::GenServer {
  explicit Counter(std::unique_ptr<int>) {}
};

auto spec() { return coterie::child<Counter>("counter", {}, std::make_unique<int>(1)); }
