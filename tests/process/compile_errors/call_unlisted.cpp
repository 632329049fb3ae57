// expect: this_message_is_not_listed_in_Calls_of() [with Server = Counter; Message = Counter::Get]
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Get {
    using Reply = int;
  };
};

auto ask() { return coterie::call<Counter>(coterie::local("counter"), Counter::Get{}); }
