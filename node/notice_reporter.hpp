#pragma once
// The DeathReporter of a cluster's node: tells every other node over its client listener, with the
// token that only this guardian has and, where nodes have keys, with the key of its node. Whoever
// accepts removes the dead member by agreement.

#include <string>
#include <vector>

#include "node/config.hpp"
#include "node/death_reporter.hpp"
#include "transport/notice.hpp"

namespace coterie {

class NoticeReporter final : public DeathReporter {
 public:
  /// `clock` outlives it.
  NoticeReporter(const ClusterConfig& config, const NodeSection& own, std::string token,
                 ClientKeys keys, const Clock& clock);

  bool report(const Death& death) override;

 private:
  DeathNotice notice_;
  std::vector<std::string> addresses_;
  const ClientKeys keys_;  // the node's own
  const Clock& clock_;
};

/// Whether a death need not be told again. Pure.
bool told_enough(const guardian::ExitStatus& status, const std::vector<NoticeResult>& results);

}  // namespace coterie
