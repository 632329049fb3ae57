// expect: a_clause_of_receive_is_a_function_of_one_message() [with Clauses
#include <coterie/process.hpp>

void wait() {
  coterie::receive([](int, int) {});
}
