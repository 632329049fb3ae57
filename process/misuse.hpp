#pragma once
// The end of a program that uses the runtime against its rules: a line on standard error, then
// abort. Any thread.

namespace coterie::detail {

/// `who`: the part that was misused, "executor".
[[noreturn]] void misuse(const char* who, const char* what) noexcept;

}  // namespace coterie::detail
