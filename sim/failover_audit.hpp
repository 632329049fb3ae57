#pragma once
// What the journals of a run show of one owner at a time when it is over: within a stream the
// sequence has no gap and no repeat, and no event of an older epoch follows one of a newer. It sees
// only names that keep a journal, and only effects, not callbacks. Reads through the storage port;
// blocks.

#include <cstdint>
#include <string>
#include <vector>

#include "process/ports/storage.hpp"

namespace coterie::sim {

struct JournalAudit {
  std::size_t streams = 0;
  std::size_t events = 0;
  std::size_t owners = 0;           // changes of epoch, the first owner included
  std::vector<std::string> faults;  // one line each; at most `journal_faults_max`
  std::string unreadable;           // why the audit could not be finished; empty: it was
};
inline constexpr std::size_t journal_faults_max = 20;

/// Of one stream, read in the order of (epoch, sequence): the first thing wrong, or nothing.
std::string stream_fault(std::string_view stream, const std::vector<coterie::Event>& events);

JournalAudit audit_journals(Streams& streams);

}  // namespace coterie::sim
