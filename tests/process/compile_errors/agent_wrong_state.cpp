// expect: this_function_does_not_take_the_state_of_this_Agent() [with State = int
#include <coterie/agent.hpp>

auto read(const coterie::Agent<int>& agent) {
  return agent.get([](const std::string& words) { return words.size(); });
}
