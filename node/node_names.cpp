#include "node/node_names.hpp"

#include <utility>

#include <coterie/process.hpp>

namespace coterie {
namespace {

/// An answer on its way to the process that parks for it.
template <class T>
struct Answer {
  NameResult<T> result;
};

NameError ending() {
  NameError error;
  error.code = NameError::Code::unavailable;
  error.message = "the calling process is ending";
  return error;
}

template <class T, class Start>
NameResult<T> ask(const Start& start) {
  auto answer = await<Answer<T>>([&](detail::Completer done) {
    start([done](NameResult<T> result) { done(Answer<T>{std::move(result)}); });
  });
  if (!answer) return std::unexpected(ending());
  return std::move(answer->result);
}

}  // namespace

NameResult<Location> NodeNames::resolve(std::string_view registry, std::string_view key, bool fresh,
                                        Duration timeout) {
  if (!fresh) {
    if (auto cached = names_.cached(registry, key)) return *cached;
  }
  return ask<Location>(
      [&](auto done) { names_.lookup(registry, key, deadline(timeout), std::move(done)); });
}

void NodeNames::forget(std::string_view registry, std::string_view key, const Location& location) {
  names_.forget(registry, key, location);
}

NameResult<Registration> NodeNames::reserve(std::string_view registry, std::string_view key,
                                            Pid owner, Duration timeout) {
  // Should the process be killed while it waits, what is reserved for it all the same is given
  // back.
  struct Withdrawal {
    StoreNamesDriver& names;
    StoreNamesDriver::Request request = 0;
    ~Withdrawal() {
      if (request != 0) names.withdraw(request);
    }
  } withdrawal{names_};
  auto result = ask<Registration>([&](auto done) {
    withdrawal.request = names_.reserve(registry, key, owner, deadline(timeout), std::move(done));
  });
  if (result || result.error().message != ending().message) withdrawal.request = 0;
  return result;
}

NameResult<void> NodeNames::confirm(std::string_view registry, std::string_view key,
                                    const Registration& registration, Duration timeout) {
  return ask<void>([&](auto done) {
    names_.confirm(registry, key, registration, deadline(timeout), std::move(done));
  });
}

void NodeNames::release(std::string_view registry, std::string_view key, const Pid&,
                        const Registration& registration) {
  names_.release(registry, key, registration);
}

}  // namespace coterie
