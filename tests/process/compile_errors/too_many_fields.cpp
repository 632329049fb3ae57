// expect: more than 24 fields: group some of them in a struct
#include <coterie/pack.hpp>

struct Wide {
  int a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0, a8 = 0, a9 = 0, a10 = 0;
  int b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0, b6 = 0, b7 = 0, b8 = 0, b9 = 0, b10 = 0;
  int c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0;
};

coterie::Bytes write(const Wide& message) { return coterie::pack(message); }
