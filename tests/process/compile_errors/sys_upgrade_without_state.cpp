// expect: the_new_server_has_no_state_to_upgrade() [with NewServer = Counter]
#include <coterie/sys.hpp>

struct Counter : coterie::GenServer {};

auto upgrade() { return coterie::sys::change_code<Counter>(coterie::local("counter")); }
