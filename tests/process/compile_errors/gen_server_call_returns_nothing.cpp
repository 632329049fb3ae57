// expect: handle_call_returns_nothing_but_its_message_has_a_Reply() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  void handle_call(const Get&) {}
};

auto start() { return coterie::GenServer::start<Counter>(); }
