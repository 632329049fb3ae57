// expect: a_message_that_is_called_has_no_Reply__cast_it_or_send_it() [with Message =
// Counter::Reset]
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Reset {};
  using Casts = Messages<Reset>;
  void handle_cast(const Reset&) {}
};

auto ask() {
  return coterie::GenServer::call<Counter>(coterie::local("counter"), Counter::Reset{});
}
