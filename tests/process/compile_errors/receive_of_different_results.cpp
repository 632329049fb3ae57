// expect: the_clauses_of_receive_return_different_types() [with Results = {int, std::
#include <string>

#include <coterie/process.hpp>

struct A {};
struct B {};

void wait() {
  coterie::receive([](const A&) { return 1; }, [](const B&) { return std::string("b"); });
}
