// expect: format_status_returns_what_has_no_text() [with Server = Counter; Value = Hidden]
#include <coterie/sys.hpp>

class Hidden {
  int secret_ = 0;
};
struct Counter : coterie::GenServer {
  int& state() { return state_; }
  Hidden format_status(const int&) { return {}; }
  int state_ = 0;
};

auto start() { return coterie::GenServer::start<Counter>({}); }
