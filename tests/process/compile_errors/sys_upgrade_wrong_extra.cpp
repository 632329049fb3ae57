// expect: code_change_does_not_take_these_arguments() [with NewServer = Counter; Extra = int]
#include <coterie/sys.hpp>

struct Counter : coterie::GenServer {
  int& state() { return state_; }
  static int code_change(int, coterie::BytesView, const std::string&) { return 1; }
  int state_ = 0;
};

auto upgrade() { return coterie::sys::change_code<Counter>(coterie::local("counter"), 5); }
