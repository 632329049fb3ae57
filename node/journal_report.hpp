#pragma once
// What `coterie journal` says of a storage's streams: text for people, JSON lines for programs.
// Reads without owning, so nodes may run meanwhile. Pure but for the storage; one thread.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "process/ports/storage.hpp"

namespace coterie {

/// One line of a stream's events, as JSON: sequence, epoch, request_id, event, outcome; of a
/// snapshot its state and how many requests it remembers. What was packed with field names is shown
/// with them; what is no packed value is {"$base64": ...}.
std::string event_json(std::string_view stream, const Event& event);

struct StreamCheck {
  std::string stream;
  std::size_t events = 0;
  std::size_t snapshots = 0;  // whole ones
  std::size_t owners = 0;     // epochs of the events, one after another
  std::string damage;         // empty: its checksums, sequences and epochs are whole
};
StreamCheck check_stream(Streams& streams, const std::string& stream);

/// Gives each line to `out`, which says false to end. The error is of storage, or the first stream
/// that is damaged: nothing is ever exported from a part of one.
StorageResult<void> export_streams(Streams& streams, const std::vector<std::string>& names,
                                   const std::function<bool(const std::string&)>& out);

}  // namespace coterie
