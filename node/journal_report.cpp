#include "node/journal_report.hpp"

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

}  // namespace

std::string event_json(std::string_view stream, const Event& event) {
  return "{\"stream\":" + text_json(stream) + ",\"sequence\":" + std::to_string(event.sequence) +
         ",\"epoch\":[" + std::to_string(event.epoch.view) + ',' +
         std::to_string(event.epoch.counter) + "],\"request_id\":" + text_json(event.request_id) +
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
  check.events = events->size();
  for (std::size_t i = 0; i < events->size(); ++i) {
    const Event& event = (*events)[i];
    const bool first = i == 0 || event.epoch != (*events)[i - 1].epoch;
    check.owners += first ? 1 : 0;
    if (check.damage.empty() && event.sequence != i + 1) {
      check.damage = "event " + std::to_string(event.sequence) + " stands where event " +
                     std::to_string(i + 1) + " should be";
    }
    if (check.damage.empty() && i > 0 && event.epoch < (*events)[i - 1].epoch) {
      check.damage = "event " + std::to_string(event.sequence) +
                     " is of an older epoch than the "
                     "one before it";
    }
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
