// expect: the_server_does_not_derive_publicly_from_GenServer() [with Server = Counter]
#include <coterie/gen_server.hpp>

struct Counter {
  struct Get {
    using Reply = int;
  };
  int handle_call(const Get&) { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
