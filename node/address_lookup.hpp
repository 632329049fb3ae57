#pragma once
// The real HostResolver: the system's resolver. Blocks for as long as that does; call it at start.

#include "node/config.hpp"

namespace coterie {

class SystemResolver final : public HostResolver {
 public:
  std::expected<std::vector<std::string>, std::string> resolve(const std::string& host) override;
};

}  // namespace coterie
