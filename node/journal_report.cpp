#include "node/journal_report.hpp"

#include "journal/kept_state.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

std::string json_of(const Bytes& packed) {
  if (packed.empty()) return "null";
  if (auto text = json_from_packed(packed)) return *std::move(text);
  return json_from_packed(pack(packed)).value_or("null");
}

std::string text_json(std::string_view text) {
  return json_from_packed(pack(std::string(text))).value_or("null");
}

std::string snapshot_json(const Bytes& packed) {
  const auto kept = unpack<KeptState>(packed);
  if (!kept) return ",\"snapshot\":" + json_of(packed) + '}';
  return ",\"snapshot\":" + json_of(kept->state) +
         ",\"requests\":" + std::to_string(kept->window.requests.size()) +
         ",\"older_requests\":" + std::to_string(kept->window.expired.size()) + '}';
}

}  // namespace

std::string event_json(std::string_view stream, const Event& event) {
  const std::string place = "{\"stream\":" + text_json(stream) +
                            ",\"sequence\":" + std::to_string(event.sequence) + ",\"epoch\":[" +
                            std::to_string(event.epoch.view) + ',' +
                            std::to_string(event.epoch.counter) + ']';
  switch (event.kind) {
    case Event::Kind::snapshot:
      return place + snapshot_json(event.payload);
    case Event::Kind::damaged_snapshot:
      return place + ",\"damaged_snapshot\":" + text_json(event.payload) + '}';
    case Event::Kind::event:
      break;
  }
  return place + ",\"request_id\":" + text_json(event.request_id) +
         ",\"event\":" + json_of(event.payload) + ",\"outcome\":" + json_of(event.outcome) + '}';
}

StreamCheck check_stream(Streams& streams, const std::string& stream) {
  StreamCheck check;
  check.stream = stream;
  const auto events = streams.read(stream);
  if (!events) {
    check.damage = events.error().message;
    return check;
  }
  std::uint64_t sequence = 0;
  const Event* before = nullptr;
  const auto damaged = [&check](std::string what) {
    if (check.damage.empty()) check.damage = std::move(what);
  };
  for (const Event& event : *events) {
    const std::string number = std::to_string(event.sequence);
    if (event.kind == Event::Kind::damaged_snapshot) {
      damaged("the snapshot of event " + number + " is damaged: " + event.payload);
      continue;
    }
    if (event.kind == Event::Kind::snapshot) {
      ++check.snapshots;
      // A stream whose first events were deleted begins with a snapshot.
      if (before == nullptr) sequence = event.sequence;
      continue;
    }
    ++check.events;
    if (before == nullptr || event.epoch != before->epoch) ++check.owners;
    if (event.sequence != sequence + 1) {
      damaged("event " + number + " stands where event " + std::to_string(sequence + 1) +
              " should be");
    }
    if (before != nullptr && event.epoch < before->epoch) {
      damaged("event " + number + " is of an older epoch than the one before it");
    }
    sequence = event.sequence;
    before = &event;
  }
  return check;
}

StorageResult<void> export_streams(Streams& streams, const std::vector<std::string>& names,
                                   const std::function<bool(const std::string&)>& out) {
  for (const std::string& name : names) {
    const auto events = streams.read(name);
    if (!events) return std::unexpected(events.error());
    for (const Event& event : *events) {
      if (!out(event_json(name, event))) return {};
    }
  }
  return {};
}

}  // namespace coterie
