// expect: a_list_of_the_server_is_not_public() [with Server = Counter]
#include <coterie/gen_server.hpp>

class Counter final : public coterie::GenServer {
  struct Reset {};
  using Casts = Messages<Reset>;

 public:
  void handle_cast(const Reset&) {}
};

auto start() { return coterie::GenServer::start<Counter>(); }
