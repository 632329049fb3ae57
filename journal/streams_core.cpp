#include "journal/streams_core.hpp"

#include <algorithm>
#include <utility>

#include "journal/checksum.hpp"

namespace coterie::detail {
namespace {

std::string quoted(std::string_view stream) { return "'" + std::string(stream) + "'"; }

StorageResult<void> judge(const Append& append, const StreamHead& head) {
  if (auto ok = check_stream(append.stream); !ok) return ok;
  for (const auto& event : append.events) {
    const auto bytes = event.request_id.size() + event.payload.size() + event.outcome.size();
    if (bytes <= event_bytes_max) continue;
    return std::unexpected(StorageError{StorageError::Code::misuse,
                                        "an event for stream " + quoted(append.stream) + " has " +
                                            std::to_string(bytes) + " bytes; the limit is " +
                                            std::to_string(event_bytes_max)});
  }
  if (append.snapshot && append.snapshot->size() > event_bytes_max) {
    return std::unexpected(StorageError{
        StorageError::Code::misuse, "a snapshot of stream " + quoted(append.stream) + " has " +
                                        std::to_string(append.snapshot->size()) +
                                        " bytes; the limit is " + std::to_string(event_bytes_max)});
  }
  if (append.snapshot && append.events.empty() && append.expected_sequence == 1) {
    return std::unexpected(
        StorageError{StorageError::Code::misuse,
                     "a snapshot of stream " + quoted(append.stream) + " before its first event"});
  }
  if (!head.owned || head.fence != append.epoch || !append.epoch) {
    return std::unexpected(fenced(append.stream, append.epoch, head.fence));
  }
  if (append.expected_sequence != head.sequence + 1) {
    return std::unexpected(StorageError{
        StorageError::Code::conflict,
        "append to stream " + quoted(append.stream) + " expects sequence " +
            std::to_string(append.expected_sequence) + ", the next is " +
            std::to_string(head.sequence + 1) + "; open the stream again and replay it"});
  }
  return {};
}

}  // namespace

StorageError fenced(std::string_view stream, const Epoch& asked, const Epoch& stored) {
  if (!stored) {
    return {StorageError::Code::fenced,
            "stream " + quoted(stream) + " was never opened; open it before appending"};
  }
  return {StorageError::Code::fenced, "stream " + quoted(stream) + " was opened last at epoch " +
                                          to_string(stored) + ", not by this owner at " +
                                          to_string(asked) +
                                          "; an owner that is replaced must stop"};
}

StorageResult<void> check_stream(std::string_view stream) {
  if (!stream.empty() && stream.size() <= stream_name_bytes_max) return {};
  return std::unexpected(StorageError{StorageError::Code::misuse,
                                      "a stream's name has " + std::to_string(stream.size()) +
                                          " bytes; 1 to " + std::to_string(stream_name_bytes_max) +
                                          " are allowed"});
}

StorageResult<void> check_opening(std::string_view stream, const Epoch& epoch) {
  if (!epoch) {
    return std::unexpected(StorageError{
        StorageError::Code::misuse, "stream " + quoted(stream) + " is opened without an epoch"});
  }
  return check_stream(stream);
}

std::vector<std::string> streams_of(std::span<const Append> appends) {
  std::vector<std::string> streams;
  streams.reserve(appends.size());
  for (const auto& append : appends) streams.push_back(append.stream);
  std::ranges::sort(streams);
  const auto repeats = std::ranges::unique(streams);
  streams.erase(repeats.begin(), repeats.end());
  return streams;
}

AppendPlan plan_appends(std::span<const Append> appends, const StreamHeads& heads) {
  AppendPlan plan;
  plan.results.reserve(appends.size());
  plan.rows.reserve(appends.size());
  plan.heads.reserve(appends.size());
  const auto now = [&](std::string_view stream) {
    if (const auto moved = plan.heads.find(stream); moved != plan.heads.end()) return moved->second;
    const auto known = heads.find(stream);
    return known == heads.end() ? StreamHead{} : known->second;
  };
  for (const auto& append : appends) {
    StreamHead head = now(append.stream);
    plan.results.push_back(judge(append, head));
    if (!plan.results.back()) continue;
    for (std::size_t i = 0; i < append.events.size(); ++i) {
      ++head.sequence;
      head.chain = chain(head.chain, append.stream, head.sequence, append.epoch, append.events[i]);
      plan.rows.push_back({&append, i, head.sequence, head.chain});
    }
    if (append.snapshot) plan.snapshots.push_back({&append, head.sequence, head.chain});
    if (!append.events.empty()) plan.heads.insert_or_assign(append.stream, head);
  }
  return plan;
}

std::uint32_t chain(std::uint32_t previous, std::string_view stream, std::uint64_t sequence,
                    const Epoch& epoch, const Event& event) noexcept {
  return Checksum(previous)
      .add(stream)
      .add(sequence)
      .add(epoch.view)
      .add(epoch.counter)
      .add(event.request_id)
      .add(event.payload)
      .add(event.outcome)
      .value();
}

}  // namespace coterie::detail
