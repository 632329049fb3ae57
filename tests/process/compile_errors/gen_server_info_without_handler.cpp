// expect: no_handle_info_for_a_message_listed_in_Infos() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  using Infos = Messages<Timeout>;
};

auto start() { return coterie::GenServer::start<Counter>({}); }
