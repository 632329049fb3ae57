// expect: this_event_is_not_listed_in_Events_of() [with Machine = Door; Event = Door::Lock]
#include <coterie/gen_statem.hpp>

class Door final : public coterie::GenStatem<Door> {
 public:
  struct Locked {};
  struct Open {};
  using States = OneOf<Locked, Open>;
  struct Push {};
  struct Lock {};
  using Casts = Messages<Push>;

  To<> handle_event(const Push&) {
    return keep_state().state_timeout(coterie::Duration(1), Lock{});
  }
};

auto start() { return coterie::GenServer::start<Door>({}); }
