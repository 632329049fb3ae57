#pragma once
// What a fuzz target says when a promise is broken: one line, and the end of the program, which is
// how replay.cpp (and libFuzzer) sees it.

#include <cstdio>
#include <cstdlib>

namespace coterie::fuzz {

inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

}  // namespace coterie::fuzz
