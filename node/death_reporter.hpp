#pragma once
// What a guardian tells the others about a run that has ended, and the port through which it does:
// the composition root plugs in the transport's notice to the members and the storage's record.

#include <string>
#include <vector>

#include <coterie/pid.hpp>

#include "node/guardian_core.hpp"

namespace coterie {

/// Known by waitpid: that incarnation does nothing any more.
struct Death {
  Incarnation incarnation;
  guardian::ExitStatus status;
  bool by_guardian = false;          // killed by its guardian, not by what it ran
  std::vector<std::string> running;  // strict names whose callbacks were running
  std::uint64_t running_overflow = 0;
};

class DeathReporter {
 public:
  virtual ~DeathReporter() = default;
  /// Tells everybody who can be reached; true when that was enough. Runs in a process of its own,
  /// forked from the guardian for this one attempt and killed when it takes too long: it may
  /// block, start threads and open connections, and what it changes in memory is lost.
  virtual bool report(const Death& death) = 0;
};

}  // namespace coterie
