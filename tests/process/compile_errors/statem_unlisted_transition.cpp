// expect: this_transition_is_not_listed_in_Transitions() [with Machine = Door; From = Door::Open;
#include <coterie/gen_statem.hpp>

class Door final : public coterie::GenStatem<Door> {
 public:
  struct Locked {};
  struct Open {};
  using States = OneOf<Locked, Open>;
  struct Push {};
  struct Lock {};
  using Casts = Messages<Push>;
  using Transitions = Paths<Path<Locked, Open>>;

  To<Open> handle_event(Locked&, const Push&) { return next_state(Open{}); }
  To<Locked> handle_event(Open&, const Push&) { return next_state(Locked{}); }
};

auto start() { return coterie::GenServer::start<Door>({}); }
