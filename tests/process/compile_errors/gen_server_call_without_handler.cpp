// expect: no_handle_call_for_a_message_listed_in_Calls() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
};

auto start() { return coterie::GenServer::start<Counter>({}); }
