#include <coterie/journal.hpp>

#include <utility>

#include "journal/kept_state.hpp"
#include "process/ports/journals.hpp"
#include "process/runtime.hpp"

namespace coterie {
namespace {

// Storage bounds its statements; this is for a disk that never comes back from a write.
constexpr Duration append_max = std::chrono::minutes(1);

JournalError from_storage(const StorageError& error) {
  JournalError made;
  made.maybe_applied = error.maybe_applied;
  made.message = error.message;
  switch (error.code) {
    case StorageError::Code::unavailable:
    case StorageError::Code::misuse:
      made.code = JournalError::Code::unavailable;
      break;
    case StorageError::Code::corrupt:
      made.code = JournalError::Code::corrupt;
      break;
    case StorageError::Code::fenced:
    case StorageError::Code::conflict:
      made.code = JournalError::Code::fenced;
      break;
  }
  return made;
}

/// What storage answers to an append, carried to the parked process.
struct AppendAnswer {
  StorageResult<void> result;
};
struct OpenAnswer {
  StorageResult<std::vector<Event>> result;
};

/// Parks the process until storage has answered.
std::expected<void, JournalError> ask_to_append(detail::Process& self, Append append) {
  Journals* journals = self.runtime().journals();
  auto answer = await<AppendAnswer>(
      [&](detail::Completer done) {
        journals->append(std::move(append), [done](StorageResult<void> result) {
          done(AppendAnswer{std::move(result)});
        });
      },
      append_max);
  if (!answer) {
    return std::unexpected(JournalError{.maybe_applied = true,
                                        .message = self.ending()
                                                       ? "the process is ending"
                                                       : "storage has not answered for a minute"});
  }
  if (!answer->result) return std::unexpected(from_storage(answer->result.error()));
  return {};
}

}  // namespace

struct Journal::State {
  /// False: nobody knows what to do with it.
  bool restore(const Event& snapshot, const std::function<bool(BytesView)>& take, Time now) {
    auto kept = unpack<KeptState>(snapshot.payload);
    if (!take || !kept || !take(kept->state)) return false;
    requests.restore(std::move(kept->window), now);
    snapshot_at = snapshot.sequence;
    return true;
  }

  std::string stream;
  Epoch epoch;
  std::uint64_t next_sequence = 1;
  std::uint64_t snapshot_at = 0;  // events when one was taken or tried last
  RequestWindow requests;
  JournalHabits habits{};
  std::optional<JournalError> broken;  // nothing can be appended any more
};

Journal::Journal(JournalOptions options) : options_(options) {}
Journal::~Journal() = default;
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;

std::expected<void, JournalError> Journal::open_packed(
    std::string stream, const std::function<bool(BytesView)>& replay,
    const std::function<bool(BytesView)>& restore) {
  detail::Process& self = detail::current_process();
  Journals* journals = self.runtime().journals();
  if (journals == nullptr) {
    return std::unexpected(JournalError{.message = "this node has no journal"});
  }
  const Time now = self.runtime().clock().now();
  state_ =
      std::make_unique<State>(State{.stream = stream,
                                    .epoch = self.epoch(),
                                    .requests = RequestWindow({.outcomes = options_.requests,
                                                               .memory = options_.request_memory,
                                                               .ids_max = options_.request_ids_max},
                                                              now),
                                    .habits = journals->habits(),
                                    .broken = {}});
  if (!self.pass_gate()) {
    return std::unexpected(JournalError{.message = "the process is ending"});
  }
  auto answer = await<OpenAnswer>([&](detail::Completer done) {
    journals->open(std::move(stream), self.epoch(), [done](StorageResult<std::vector<Event>> read) {
      done(OpenAnswer{std::move(read)});
    });
  });
  if (!answer) return std::unexpected(JournalError{.message = "the process is ending"});
  if (!answer->result) {
    state_->broken = from_storage(answer->result.error());
    return std::unexpected(*state_->broken);
  }
  for (Event& event : *answer->result) {
    if (event.kind == Event::Kind::damaged_snapshot) {
      self.runtime().log().log(
          LogModule::journal, LogLevel::warning, "snapshot passed over",
          {{"stream", state_->stream}, {"event", event.sequence}, {"reason", event.payload}});
      continue;
    }
    const bool known = event.kind == Event::Kind::snapshot ? state_->restore(event, restore, now)
                                                           : replay(event.payload);
    if (!known) {
      state_->broken = JournalError{
          .code = JournalError::Code::undecodable,
          .message = (event.kind == Event::Kind::snapshot ? "the snapshot of event " : "event ") +
                     std::to_string(event.sequence) + " of " + state_->stream +
                     " is of no known type"};
      return std::unexpected(*state_->broken);
    }
    state_->next_sequence = event.sequence + 1;
    state_->requests.replay(std::move(event.request_id), std::move(event.outcome), now);
  }
  journals->remembers(state_->requests.size(), state_->requests.size_max());
  return {};
}

std::expected<void, JournalError> Journal::append_packed(Bytes event, std::string request_id,
                                                         Bytes outcome) {
  detail::Process& self = detail::current_process();
  if (!state_) return std::unexpected(JournalError{.message = "the journal is not open"});
  if (state_->broken) return std::unexpected(*state_->broken);
  if (state_->requests.expired(request_id)) {
    return std::unexpected(
        JournalError{.code = JournalError::Code::request_expired,
                     .message = "request " + request_id + " ran before the last " +
                                std::to_string(options_.requests) + " of " + state_->stream +
                                ", whose outcomes are remembered"});
  }
  const Time now = request_id.empty() ? Time{} : self.runtime().clock().now();
  if (!request_id.empty() && state_->habits.requests_bounded && !state_->requests.has_room(now)) {
    return std::unexpected(JournalError{
        .message = "stream " + state_->stream + " has had " +
                   std::to_string(options_.request_ids_max) +
                   " requests within request_memory, as many as it may remember; nothing was "
                   "written, try again later"});
  }
  if (!self.pass_gate()) {
    return std::unexpected(JournalError{.message = "the process is ending"});
  }
  Append append;
  append.stream = state_->stream;
  append.epoch = state_->epoch;
  append.expected_sequence = state_->next_sequence;
  Event& stored = append.events.emplace_back();
  stored.request_id = request_id;
  stored.payload = std::move(event);
  stored.outcome = outcome;
  auto answer = ask_to_append(self, std::move(append));
  if (!answer) {
    // From here on the stream's end is not known, or not ours.
    if (answer.error().maybe_applied || answer.error().code != JournalError::Code::unavailable) {
      state_->broken = answer.error();
    }
    return answer;
  }
  ++state_->next_sequence;
  state_->requests.add(std::move(request_id), std::move(outcome), now);
  self.runtime().journals()->remembers(state_->requests.size(), state_->requests.size_max());
  return {};
}

std::expected<void, JournalError> Journal::snapshot_packed(Bytes state) {
  detail::Process& self = detail::current_process();
  if (!state_) return std::unexpected(JournalError{.message = "the journal is not open"});
  if (state_->broken) return std::unexpected(*state_->broken);
  // Also if it fails: the next one is due after as many events again.
  state_->snapshot_at = size();
  if (size() == 0) return {};
  if (!self.pass_gate()) {
    return std::unexpected(JournalError{.message = "the process is ending"});
  }
  Append append;
  append.stream = state_->stream;
  append.epoch = state_->epoch;
  append.expected_sequence = state_->next_sequence;
  append.snapshot =
      pack(KeptState{std::move(state), state_->requests.kept(self.runtime().clock().now())});
  append.snapshots_kept = options_.keep_snapshots;
  append.trim = options_.delete_events_on_snapshot;
  auto stored = ask_to_append(self, std::move(append));
  // It moves no end of the stream, so an answer that was lost leaves nothing in doubt.
  if (!stored && stored.error().code != JournalError::Code::unavailable) {
    state_->broken = stored.error();
  }
  return stored;
}

bool Journal::snapshot_due() const noexcept {
  if (options_.snapshot_every == 0) return false;
  return since_snapshot() >=
         (state_ && state_->habits.snapshots_often ? 1 : options_.snapshot_every);
}

std::uint64_t Journal::since_snapshot() const noexcept {
  return state_ && !state_->broken ? size() - state_->snapshot_at : 0;
}

const Bytes* Journal::outcome(const std::string& request_id) const {
  return state_ ? state_->requests.find(request_id) : nullptr;
}

std::uint64_t Journal::size() const noexcept { return state_ ? state_->next_sequence - 1 : 0; }

}  // namespace coterie
