#include "node/notice_reporter.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

// Below the guardian's bound for one attempt.
constexpr Duration answers_within = std::chrono::seconds(3);

NoticeReporter::NoticeReporter(const ClusterConfig& config, const NodeSection& own,
                               std::string token, ClientKeys keys, const Clock& clock)
    : keys_(std::move(keys)), clock_(clock) {
  notice_.cluster_id = config.cluster.id;
  notice_.name = own.name;
  notice_.token = std::move(token);
  for (const NodeSection& node : config.nodes) {
    if (node.name != own.name && !node.client_advertise.empty()) {
      addresses_.push_back(node.client_advertise);
    }
  }
}

bool NoticeReporter::report(const Death& death) {
  if (addresses_.empty()) return true;  // nobody to tell
  DeathNotice notice = notice_;
  notice.incarnation = death.incarnation;
  notice.signal = static_cast<std::uint32_t>(death.status.signal);
  notice.exit_code = static_cast<std::uint32_t>(death.status.code);
  notice.running = death.running;
  return told_enough(death.status,
                     send_death_notice(notice, addresses_, answers_within, clock_, keys_));
}

bool told_enough(const guardian::ExitStatus& status, const std::vector<NoticeResult>& results) {
  // One that ended in order has left the view itself, was excluded, or never was in it; if not,
  // one attempt and its lease will do.
  if (status.signal == 0) return true;
  return std::ranges::any_of(results, &NoticeResult::accepted);
}

}  // namespace coterie
