// expect: a_handler_takes_its_message_by_reference_without_const() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  int handle_call(Get&) { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>(); }
