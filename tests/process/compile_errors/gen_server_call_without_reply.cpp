// expect: a_message_listed_in_Calls_has_no_Reply() [with Server = Counter; Message = Counter::Get]
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {};
  using Calls = Messages<Get>;
  int handle_call(const Get&) { return 1; }
};

auto start() { return coterie::GenServer::start<Counter>({}); }
