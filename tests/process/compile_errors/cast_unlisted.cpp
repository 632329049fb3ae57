// expect: this_message_is_not_listed_in_Casts_of() [with Server = Counter; Message = Counter::Get]
#include <coterie/gen_server.hpp>

using namespace coterie;

struct Counter final : GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  int handle_call(const Get&) { return 1; }
};

void lose_the_answer() { cast<Counter>(local("counter"), Counter::Get{}); }
