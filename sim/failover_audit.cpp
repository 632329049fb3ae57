#include "sim/failover_audit.hpp"

namespace coterie::sim {

std::string stream_fault(std::string_view stream, const std::vector<coterie::Event>& events) {
  // The order is that of epochs, so an older owner's late event repeats a sequence or leaves a gap.
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].sequence == i + 1) continue;
    std::string text(stream);
    text += ": event " + std::to_string(events[i].sequence) + " of epoch " +
            to_string(events[i].epoch) + " stands where event " + std::to_string(i + 1) +
            " should be";
    if (i > 0) text += ", after one of epoch " + to_string(events[i - 1].epoch);
    return text;
  }
  return {};
}

JournalAudit audit_journals(Streams& streams) {
  JournalAudit audit;
  const auto names = streams.list("");
  if (!names) {
    audit.unreadable = names.error().message;
    return audit;
  }
  for (const std::string& name : *names) {
    auto events = streams.read(name);
    if (events) {
      std::erase_if(*events, [](const Event& e) { return e.kind != Event::Kind::event; });
    }
    if (!events) {
      audit.unreadable = name + ": " + events.error().message;
      return audit;
    }
    ++audit.streams;
    audit.events += events->size();
    for (std::size_t i = 0; i < events->size(); ++i) {
      if (i == 0 || (*events)[i].epoch != (*events)[i - 1].epoch) ++audit.owners;
    }
    if (std::string fault = stream_fault(name, *events);
        !fault.empty() && audit.faults.size() < journal_faults_max) {
      audit.faults.push_back(std::move(fault));
    }
  }
  return audit;
}

}  // namespace coterie::sim
