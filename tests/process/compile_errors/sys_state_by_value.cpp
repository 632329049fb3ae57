// expect: state_of_a_server_does_not_return_a_reference() [with Server = Counter]
#include <coterie/sys.hpp>

struct Counter : coterie::GenServer {
  int state() { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>({}); }
