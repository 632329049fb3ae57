// expect: the_StartOptions_come_before_the_arguments__braces_will_do() [with Server = Counter;
// First
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  explicit Counter(int) {}
};

auto start() { return coterie::GenServer::start_link<Counter>(5); }
