// expect: this_function_neither_returns_the_new_state_of_this_Agent_nor_nothing() [with State = int
#include <coterie/agent.hpp>

struct Word {};

void change(const coterie::Agent<int>& agent) {
  agent.cast([](int&) { return Word(); });
}
