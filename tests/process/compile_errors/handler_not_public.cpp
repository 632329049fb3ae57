// expect: no_handle_cast_for_a_message_listed_in_Casts() [with Server = Counter; Message
#include <coterie/gen_server.hpp>

class Counter final : public coterie::GenServer {
 public:
  struct Reset {};
  using Casts = Messages<Reset>;

 private:
  void handle_cast(const Reset&) {}
};

auto start() { return coterie::GenServer::start<Counter>(); }
