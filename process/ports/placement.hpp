#pragma once
// The port to placement: on which members a name of cluster scope belongs, best first. Pure: the
// same view gives the same answer on every node. registry/ implements it (rendezvous hashing).

#include <string>
#include <string_view>
#include <vector>

#include "process/ports/agreement.hpp"

namespace coterie {

class Placement {
 public:
  virtual ~Placement() = default;
  /// Names of the members of `view` that host `kind` and are not draining, the home first.
  virtual std::vector<std::string> homes(const View& view, std::string_view kind,
                                         std::string_view key) const = 0;
};

}  // namespace coterie
