// expect: this_function_does_not_take_the_inputs_of_this_stream_as_const() [with Function = read()
#include <coterie/task.hpp>

void read() {
  const std::vector<int> inputs{1, 2};
  for (auto& result : coterie::Task::async_stream(inputs, [](std::string s) { return s.size(); })) {
    static_cast<void>(result);
  }
}
