// expect: the_function_does_not_map_a_state_to_a_state() [with State = int; Function =
#include <coterie/sys.hpp>

struct Counter : coterie::GenServer {
  int& state() { return state_; }
  int state_ = 0;
};

auto replace() {
  return coterie::sys::replace_state<Counter>(coterie::local("counter"),
                                              [](const std::string& text) { return text; });
}
