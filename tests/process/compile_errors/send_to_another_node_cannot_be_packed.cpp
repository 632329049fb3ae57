// expect: a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed() [with
// Message
#include <coterie/call.hpp>

class Secret {
 public:
  static constexpr std::string_view type_name = "secret";

 private:
  int code_ = 0;
};

void tell() { coterie::send(coterie::at("counter", "b"), Secret{}); }
