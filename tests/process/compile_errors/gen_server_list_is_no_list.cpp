// expect: a_list_of_the_server_is_no_Messages() [with Server = Counter; Lists = {Counter::Get
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Get;
  int handle_call(const Get&) { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
