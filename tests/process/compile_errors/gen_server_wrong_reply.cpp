// expect: handle_call_does_not_return_the_Reply_of_its_message() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  std::string handle_call(const Get&) { return "1"; }
};

auto start() { return coterie::GenServer::start<Counter>({}); }
