// expect: the_server_does_not_derive_publicly_from_GenServer() [with Server = Counter]
#include <coterie/gen_server.hpp>

class Counter final : coterie::GenServer {};

auto start() { return coterie::GenServer::start<Counter>(); }
