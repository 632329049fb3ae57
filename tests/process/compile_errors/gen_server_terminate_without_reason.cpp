// expect: no matching function for call to ‘Counter::terminate(const coterie::ExitReason&)’
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  void terminate() {}
};

auto start() { return coterie::GenServer::start<Counter>(); }
