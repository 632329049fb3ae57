// expect: this_is_neither_the_first_state_of_this_Agent_nor_a_function_that_makes_it() [with State
#include <coterie/agent.hpp>

auto start() { return coterie::Agent<int>::start_link(std::string("none")); }
