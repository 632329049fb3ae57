#pragma once
// What `.value()` of a result throws when there is none: std's exception, with a what() that says
// which error it was, so that a program which ends by it says why. std lets a program specialise
// its templates for its own types; here for coterie's errors.

#include <expected>
#include <memory>
#include <string>
#include <utility>

namespace coterie::detail {

template <class Error>
class BadResult : public std::bad_expected_access<void> {
 public:
  explicit BadResult(Error error)
      : error_(std::move(error)),
        text_(std::make_shared<const std::string>("no value, but " + to_string(error_))) {}
  const char* what() const noexcept override { return text_->c_str(); }
  Error& error() & noexcept { return error_; }
  const Error& error() const& noexcept { return error_; }
  Error&& error() && noexcept { return std::move(error_); }

 private:
  Error error_;
  std::shared_ptr<const std::string> text_;  // a copy of an exception must not throw
};

}  // namespace coterie::detail
