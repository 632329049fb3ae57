// expect: a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed() [with
// Message
#include <memory>

#include <coterie/call.hpp>

struct Draw {
  using Reply = int;
  static constexpr std::string_view type_name = "draw";
  std::unique_ptr<int> canvas;
};

auto ask() { return coterie::call(coterie::at("screen", "b"), Draw{}); }
