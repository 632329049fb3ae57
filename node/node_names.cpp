#include "node/node_names.hpp"

#include <algorithm>
#include <utility>

#include <coterie/process.hpp>

#include "supervision/spec_row.hpp"

namespace coterie {
namespace {

// Between lookups of a name that nobody runs yet. Lookups of many callers share one statement.
constexpr Duration absent_pause_min = std::chrono::milliseconds(10);
constexpr Duration absent_pause_max = std::chrono::milliseconds(100);
// On a rare path: what a slow moment between two steps takes.
constexpr Duration rare_pause = std::chrono::milliseconds(25);

/// An answer on its way to the process that parks for it.
template <class T>
struct Answer {
  NameResult<T> result;
};

struct SpecRead {
  StorageResult<std::optional<Record>> record;
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
  if (!fresh && !rare(rare_, "names.cache_missed")) {
    if (auto cached = names_.cached(registry, key)) {
      if (rare(rare_, "names.cache_dropped")) names_.forget(registry, key, *cached);
      return *cached;
    }
  }
  const Time end = deadline(timeout);
  for (Duration pause = absent_pause_min;; pause = std::min(pause * 2, absent_pause_max)) {
    const auto look = [&] {
      return ask<Location>([&](auto done) { names_.lookup(registry, key, end, std::move(done)); });
    };
    auto found = look();
    if (rare(rare_, "names.looked_up_twice")) found = look();
    if (rare(rare_, "names.found_late")) sleep(rare_pause);
    if (found || found.error().code != NameError::Code::not_found || !kinds_.contains(registry)) {
      return found;
    }
    NameError why = absent(registry, key, end - clock_.now());
    if (why.code != NameError::Code::unavailable || clock_.now() + pause >= end) {
      return std::unexpected(std::move(why));
    }
    sleep(pause);
  }
}

NameError NodeNames::absent(std::string_view kind, std::string_view key, Duration timeout) const {
  const auto error = [](NameError::Code code, std::string why) {
    return NameError{code, {}, std::move(why)};
  };
  const std::string name = std::string(kind).append(1, '/').append(key);
  if (rare(rare_, "names.spec_unread")) {
    return error(NameError::Code::unavailable, "the store did not answer in time");
  }
  // Many may wait for storage that is away, one after the other: not longer than the caller.
  const auto read = await<SpecRead>(
      [&](detail::Completer done) {
        detail::current_process().runtime().run_blocking(
            [&specs = specs_, at = detail::spec_key(kind, key), done] {
              done(SpecRead{specs.read(at)});
            });
      },
      timeout);
  if (!read) return error(NameError::Code::unavailable, "the store did not answer in time");
  const auto& record = read->record;
  if (!record) return error(NameError::Code::unavailable, record.error().message);
  if (!*record) return error(NameError::Code::not_found, "there is no " + name);
  const auto row = detail::unpack_row((*record)->value);
  if (!row) {
    return error(NameError::Code::data_unavailable,
                 "what is stored of " + name + " is damaged: " + row.error());
  }
  switch (row->state) {
    case detail::SpecState::wanted:
      return error(NameError::Code::unavailable,
                   name + " is being started" +
                       (row->reason.empty() ? "" : "; the last try failed: " + row->reason));
    case detail::SpecState::failed:
      return error(NameError::Code::failed, name + " was given up: " + row->reason);
    case detail::SpecState::quarantined:
      return error(NameError::Code::quarantined, name + " is quarantined: " + row->reason);
  }
  return error(NameError::Code::unavailable, name);
}

void NodeNames::forget(std::string_view registry, std::string_view key, const Location& location) {
  if (rare(rare_, "names.forget_lost")) return;  // it is refused once more
  names_.forget(registry, key, location);
}

void NodeNames::forget_epoch(const Epoch& epoch) { names_.forget_epoch(epoch); }

NameResult<Registration> NodeNames::reserve(std::string_view registry, std::string_view key,
                                            Pid owner, Duration timeout) {
  // Should the process be killed while it waits, what is reserved for it all the same is given
  // back.
  struct Withdrawal {
    NamesDriver& names;
    std::string_view registry, key;
    NamesDriver::Request request = 0;
    ~Withdrawal() {
      if (request != 0) names.withdraw(registry, key, request);
    }
  } withdrawal{names_, registry, key};
  if (rare(rare_, "names.reserved_late")) sleep(rare_pause);
  auto result = ask<Registration>([&](auto done) {
    withdrawal.request = names_.reserve(registry, key, owner, deadline(timeout), std::move(done));
  });
  if (result || result.error().message != ending().message) withdrawal.request = 0;
  return result;
}

NameResult<void> NodeNames::confirm(std::string_view registry, std::string_view key,
                                    const Registration& registration, Duration timeout) {
  if (rare(rare_, "names.confirmed_late")) sleep(rare_pause);
  return ask<void>([&](auto done) {
    names_.confirm(registry, key, registration, deadline(timeout), std::move(done));
  });
}

void NodeNames::release(std::string_view registry, std::string_view key, const Pid&,
                        const Registration& registration) {
  names_.release(registry, key, registration);
}

}  // namespace coterie
