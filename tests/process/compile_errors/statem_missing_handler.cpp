// expect: no_handle_event_for_this_state_and_event() [with Machine = Door; State = Door::Open
#include <coterie/gen_statem.hpp>

class Door final : public coterie::GenStatem<Door> {
 public:
  struct Locked {};
  struct Open {};
  using States = OneOf<Locked, Open>;
  struct Push {};
  struct Lock {};
  using Casts = Messages<Push>;

  void handle_event(Locked&, const Push&) {}
};

auto start() { return coterie::GenServer::start<Door>({}); }
