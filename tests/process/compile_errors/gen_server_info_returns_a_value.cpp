// expect: a_handler_without_reply_returns_neither_nothing_nor_Next() [with Server = Counter
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  using Infos = Messages<Timeout>;
  int handle_info(const Timeout&) { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
