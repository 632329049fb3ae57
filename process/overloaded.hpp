#pragma once
// One function of many, for std::visit: a function for each alternative of a variant.

namespace coterie {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace coterie
