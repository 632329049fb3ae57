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
// With snapshots a replay reads only what came after the last one (Akka Persistence's
// snapshot-every-n). The state is any value that can be packed:
//
//     Journal journal_{{.snapshot_every = 100}};
//     ... journal_.open("account/" + id_, [&](const State& s) { state_ = s; },
//                       [&](const Deposited& e) { apply(e); })
//     ... apply(event); if (journal_.snapshot_due()) static_cast<void>(journal_.snapshot(state_));
//
// A server that traps exits and takes one in terminate(), when since_snapshot() says that it is
// worth it, leaves nothing to replay to whoever it is handed to.
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
#include <coterie/time.hpp>

namespace coterie {

struct JournalOptions {
  /// Requests whose outcomes are remembered, in memory, to answer a repeat. A repeat of an older
  /// one is refused: choose more than a stream gets while a caller still retries.
  std::size_t requests = 1024;
  /// How long it is remembered of an older one that it ran, at least, in eight bytes in each
  /// snapshot and some forty in memory. Choose more than the time for which any caller goes on
  /// sending a request: what comes again later runs again. infinity: for ever, for streams whose
  /// requests are bounded otherwise.
  Duration request_memory = std::chrono::minutes(15);
  /// So many older ones at most; a further request with an id is then refused as `unavailable`,
  /// not executed, until some are older than request_memory.
  std::size_t request_ids_max = std::size_t{1} << 20;
  /// snapshot_due() after so many events since the last snapshot: about as many does a replay read
  /// at most. 0: never. Smaller: processes start sooner, and write their state more often.
  std::uint64_t snapshot_every = 0;
  /// Snapshots of the stream that stay. With two, a newest one that is damaged costs a longer
  /// replay; with one and no events before it, the stream.
  std::size_t keep_snapshots = 2;
  /// With each snapshot the events go that all kept ones contain. What happened before them can
  /// then not be looked up any more.
  bool delete_events_on_snapshot = false;
};

class Journal {
 public:
  explicit Journal(JournalOptions options = {});
  ~Journal();
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;

  /// Claims the stream for the calling process's epoch and replays it: the newest snapshot that is
  /// whole through `restore`, if there is one, and the events after it through `replay`. Both take
  /// what was packed; false from them means that it is unknown. A stream with snapshots cannot be
  /// opened without `restore`.
  std::expected<void, JournalError> open_packed(std::string stream,
                                                const std::function<bool(BytesView)>& replay,
                                                const std::function<bool(BytesView)>& restore = {});
  /// Durable when it returns a value. `request_id` and `outcome` are kept with the event, and come
  /// back from outcome(). After an error with maybe_applied, or fenced, every later append fails
  /// the same way: end the process and let its supervisor start it again. A request id from before
  /// the window is refused (request_expired), and nothing is appended. fail() of GenServer gives
  /// the caller the answer that fits the error.
  std::expected<void, JournalError> append_packed(Bytes event, std::string request_id,
                                                  Bytes outcome);

  /// Stores the state after all events so far, and the requests that are remembered. Durable when
  /// it returns a value; of a stream without events nothing is stored. An error changes nothing:
  /// the next replay is longer. Only `fenced` and `corrupt` say that every later append fails.
  std::expected<void, JournalError> snapshot_packed(Bytes state);
  /// JournalOptions::snapshot_every events have come since the last snapshot that was tried.
  bool snapshot_due() const noexcept;
  /// Events since the last snapshot that was tried: so many a replay would read. 0 also when
  /// nothing can be appended any more.
  std::uint64_t since_snapshot() const noexcept;

  /// The stored outcome of that request; nullptr if it is new, or older than the window: then
  /// append() tells, for as long as it is remembered. Valid until the next append.
  const Bytes* outcome(const std::string& request_id) const;
  /// Events in the stream, as this owner knows it.
  std::uint64_t size() const noexcept;

  template <class Replay>
  std::expected<void, JournalError> open(std::string stream, Replay replay);
  /// `restore` takes the type that snapshot() is given.
  template <class Restore, class Replay>
  std::expected<void, JournalError> open(std::string stream, Restore restore, Replay replay);
  template <class S>
  std::expected<void, JournalError> snapshot(const S& state) {
    return snapshot_packed(pack(state));
  }
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

namespace detail {
/// Gives `take` what was packed of the type that it takes.
template <class Take>
std::function<bool(BytesView)> unpacking(Take& take) {
  return [&take](BytesView packed) {
    auto value = unpack<typename ReplayTraits<Take>::Event>(packed);
    if (value) take(std::move(*value));
    return value.has_value();
  };
}
}  // namespace detail

/// `replay` takes one event type; several kinds of events are a std::variant.
template <class Replay>
std::expected<void, JournalError> Journal::open(std::string stream, Replay replay) {
  return open_packed(std::move(stream), detail::unpacking(replay));
}

template <class Restore, class Replay>
std::expected<void, JournalError> Journal::open(std::string stream, Restore restore,
                                                Replay replay) {
  return open_packed(std::move(stream), detail::unpacking(replay), detail::unpacking(restore));
}

}  // namespace coterie
