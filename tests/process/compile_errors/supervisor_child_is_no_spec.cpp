// expect: no matching function for call to ‘coterie::Supervisor::start_link(
#include <coterie/supervisor.hpp>

struct Counter : coterie::GenServer {};

auto start() {
  return coterie::Supervisor::start_link({coterie::GenServer::start_link<Counter>()});
}
