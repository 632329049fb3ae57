// expect: a_handler_without_reply_returns_neither_nothing_nor_Next() [with Server = Counter
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Reset {};
  using Casts = Messages<Reset>;
  int handle_cast(const Reset&) { return 0; }
};

auto start() { return coterie::GenServer::start<Counter>({}); }
