// expect: handle_info_of_AnyMessage_returns_neither_nothing_nor_Next() [with Server = Counter
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  bool handle_info(coterie::AnyMessage) { return true; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
