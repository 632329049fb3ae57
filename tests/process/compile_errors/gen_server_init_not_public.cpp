// expect: Init Counter::init()’ is private within this context
#include <coterie/gen_server.hpp>

class Counter final : public coterie::GenServer {
  Init init() { return ok(); }
};

auto start() { return coterie::GenServer::start<Counter>(); }
