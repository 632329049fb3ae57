// expect: init_returns_neither_nothing_nor_ok_ignore_stop_or_error() [with Server = Counter
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  bool init() { return true; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
