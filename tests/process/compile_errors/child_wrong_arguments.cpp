// expect: no_constructor_of_the_server_takes_these_arguments() [with Server = Counter; Arguments
#include <coterie/supervisor.hpp>

struct Counter : coterie::GenServer {
  explicit Counter(int) {}
};

auto spec() { return coterie::child<Counter>("counter", {}); }
