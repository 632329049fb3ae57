// expect: no_handle_continue_for_a_message_listed_in_Continues() [with Server = Loader; Message =
// Loader::Load]
#include <coterie/gen_server.hpp>

using namespace coterie;

struct Loader final : GenServer {
  struct Load {};
  using Continues = Messages<Load>;
  Init init() { return ok().then_continue(Load{}); }
};

auto start() { return GenServer::start<Loader>({}); }
