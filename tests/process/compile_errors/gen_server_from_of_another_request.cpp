// expect: no_handle_call_for_a_message_listed_in_Calls() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

using namespace coterie;

struct Counter final : GenServer {
  struct Get {
    using Reply = int;
  };
  struct Put {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  void handle_call(const Get&, From<Put>) {}
};

auto start() { return GenServer::start<Counter>(); }
