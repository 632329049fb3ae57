// expect: a_message_that_is_called_has_no_Reply__cast_it_or_send_it() [with Message = Reset]
#include <coterie/call.hpp>

struct Reset {};

auto ask() { return coterie::call(coterie::local("counter"), Reset{}); }
