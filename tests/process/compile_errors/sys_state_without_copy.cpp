// expect: the_state_cannot_be_copied_out_of_its_server() [with State = std::unique_ptr<int>]
#include <coterie/sys.hpp>

struct Counter : coterie::GenServer {
  std::unique_ptr<int>& state() { return state_; }
  std::unique_ptr<int> state_;
};

auto read() { return coterie::sys::get_state<Counter>(coterie::local("counter")); }
