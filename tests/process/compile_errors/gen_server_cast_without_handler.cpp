// expect: no_handle_cast_for_a_message_listed_in_Casts() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Reset {};
  using Casts = Messages<Reset>;
};

auto start() { return coterie::GenServer::start<Counter>({}); }
