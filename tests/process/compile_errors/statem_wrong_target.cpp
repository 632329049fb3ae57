// expect: this_handler_may_only_go_to_the_states_in_its_To() [with Allowed =
#include <coterie/gen_statem.hpp>

class Door final : public coterie::GenStatem<Door> {
 public:
  struct Locked {};
  struct Open {};
  using States = OneOf<Locked, Open>;
  struct Push {};
  struct Lock {};
  using Casts = Messages<Push>;

  To<> handle_event(Locked&, const Push&) { return next_state(Open{}); }
  void handle_event(Open&, const Push&) {}
};

auto start() { return coterie::GenServer::start<Door>({}); }
