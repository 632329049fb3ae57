// expect: a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed() [with
// Message
#include <coterie/call.hpp>

struct Reset {};

void reset() { coterie::cast(coterie::at("counter", "b"), Reset{}); }
