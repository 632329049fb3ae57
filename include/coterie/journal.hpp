#pragma once
// Journal: the durable past of one process. Events are appended before the reply leaves, and
// replayed when the process starts again, on this node or another. The idea is event sourcing with
// fencing: the stream belongs to the greatest epoch that opened it, and an older owner's append is
// refused, so nothing an instance of the past does can follow what its successor did.
//
//   class Account final : public GenServer {
//    public:
//     struct Deposited { std::int64_t amount = 0; };
//     Init init() {
//       if (auto opened = journal_.open("account/" + id_, [&](const Deposited& e) { apply(e); });
//           !opened) return stop_init(opened.error().reason());
//       return ok();
//     }
//     Outcome<std::int64_t> handle_call(const Deposit& m) {
//       if (auto* done = journal_.outcome(current_request_id())) {
//         return *unpack<std::int64_t>(*done);
//       }
//       Deposited event{m.amount};
//       if (auto stored = journal_.append(event, current_request_id(), pack(balance_ + m.amount));
//           !stored) return fail(stored.error());
//       return apply(event);
//     }
//   };
//
// A Journal belongs to one process and its functions park that process. The stream's name is the
// caller's; events are packed like messages. Without a node that has a journal, open fails.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <coterie/journal_error.hpp>
#include <coterie/pack.hpp>
#include <coterie/pid.hpp>

namespace coterie {

struct JournalOptions {
  /// Requests whose outcomes are remembered, in memory, to answer a repeat. A repeat of an older
  /// one is refused: choose more than a stream gets while a caller still retries.
  std::size_t requests = 1024;
};

class Journal {
 public:
  explicit Journal(JournalOptions options = {});
  ~Journal();
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;

  /// Claims the stream for the calling process's epoch and replays it through `replay`, which takes
  /// the packed event; false from it means that the event is unknown.
  std::expected<void, JournalError> open_packed(std::string stream,
                                                const std::function<bool(BytesView)>& replay);
  /// Durable when it returns a value. `request_id` and `outcome` are kept with the event, and come
  /// back from outcome(). After an error with maybe_applied, or fenced, every later append fails
  /// the same way: end the process and let its supervisor start it again. A request id from before
  /// the window is refused (request_expired), and nothing is appended. fail() of GenServer gives
  /// the caller the answer that fits the error.
  std::expected<void, JournalError> append_packed(Bytes event, std::string request_id,
                                                  Bytes outcome);

  /// The stored outcome of that request; nullptr if it is new, or older than the window: then
  /// append() tells. Valid until the next append.
  const Bytes* outcome(const std::string& request_id) const;
  /// Events in the stream, as this owner knows it.
  std::uint64_t size() const noexcept;

  template <class Replay>
  std::expected<void, JournalError> open(std::string stream, Replay replay);
  template <class E>
  std::expected<void, JournalError> append(const E& event, std::string request_id = {},
                                           Bytes outcome = {}) {
    return append_packed(pack(event), std::move(request_id), std::move(outcome));
  }

 private:
  struct State;
  JournalOptions options_;
  std::unique_ptr<State> state_;
};

namespace detail {
template <class F>
struct ReplayTraits : ReplayTraits<decltype(&F::operator())> {};
template <class C, class A>
struct ReplayTraits<void (C::*)(A)> {
  using Event = std::remove_cvref_t<A>;
};
template <class C, class A>
struct ReplayTraits<void (C::*)(A) const> {
  using Event = std::remove_cvref_t<A>;
};
}  // namespace detail

/// `replay` takes one event type; several kinds of events are a std::variant.
template <class Replay>
std::expected<void, JournalError> Journal::open(std::string stream, Replay replay) {
  using E = typename detail::ReplayTraits<Replay>::Event;
  return open_packed(std::move(stream), [&replay](BytesView packed) {
    auto event = unpack<E>(packed);
    if (event) replay(std::move(*event));
    return event.has_value();
  });
}

}  // namespace coterie
