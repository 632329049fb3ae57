#pragma once
// Floating-point numbers as JSON and terms write them. Pure; any thread.

#include <string>

namespace coterie::detail {

/// The shortest text that reads back as the same number, with a point or an exponent, so that it is
/// never taken for an integer: 1.0, 0.1, 1e+300; nan, inf, -inf.
std::string real_text(double value);

}  // namespace coterie::detail
