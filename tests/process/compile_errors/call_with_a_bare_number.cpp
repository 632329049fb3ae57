// expect: a_timeout_has_a_unit__such_as_5s_or_500ms() [with Timeout = int]
#include <coterie/call.hpp>

struct Get {
  using Reply = int;
};

auto ask() { return coterie::call(coterie::local("counter"), Get{}, 5000); }
