// expect: a message has no base class: make the base its first field
#include <coterie/pack.hpp>

struct Base {
  int id = 0;
};
struct Derived : Base {
  int more = 0;
};

coterie::Bytes write(const Derived& message) { return coterie::pack(message); }
