#pragma once
// What few processes have, or only those that deal with others: links besides the one to the
// parent, monitors, callers that wait, names. A process makes it when it needs it; an idle server
// under a supervisor has none. Belongs to the thread that runs the process.

#include <memory>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>

#include "process/ancestors.hpp"
#include "process/flat_table.hpp"
#include "process/ports/name_service.hpp"

namespace coterie::detail {

/// What a process is called.
struct Names {
  std::string name;
  std::string label;
  std::string via_text;  // registry/key
  ViaName via;
  Registration registration;
  Epoch epoch;
};

/// Who a process is tied to, besides a link to its parent, which is all that most have.
struct Relations {
  FlatTable<Link> links;
  FlatTable<Monitor> monitors;
  FlatTable<Monitor> requests;  // sent without waiting, to whom; their answers become messages
  FlatTable<OpenAlias> aliases;
  FlatTable<Watcher> monitored_by;
  std::vector<Caller> callers;  // whose requests it has taken and not answered
  Ancestors of_children;        // made for the first child
  std::unique_ptr<Names> names;
};

}  // namespace coterie::detail
