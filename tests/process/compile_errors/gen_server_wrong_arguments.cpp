// expect: no_constructor_of_the_server_takes_these_arguments() [with Server = Counter; Arguments
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  explicit Counter(int) {}
};

auto start() { return coterie::GenServer::start<Counter>({}, "one"); }
