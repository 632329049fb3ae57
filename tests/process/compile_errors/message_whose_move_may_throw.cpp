// expect: a_message_is_moved_without_exceptions__mark_its_move_constructor_noexcept() [with Message
// =
#include <coterie/process.hpp>

struct Copied {
  Copied() = default;
  Copied(const Copied&) {}
};

void tell(coterie::Pid pid) { coterie::send(pid, Copied{}); }
