#pragma once
// local("coterie.node"): the process of a node that answers for it, to members and to clients.

#include <functional>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>

#include "node/status.hpp"

namespace coterie {

class NodeServer final : public GenServer {
 public:
  using Calls = Messages<StatusRequest, NamesRequest, AdmitVoterRequest, CrashRequest>;

  /// Both run in this process and may park; they outlive it.
  struct Answers {
    std::function<NodeStatus()> status;
    std::function<std::vector<std::string>(const std::string& kind)> names;
    std::function<std::string()> admit;
    bool faulty = false;  // names may be made to crash
  };
  explicit NodeServer(const Answers* answers) : answers_(*answers) {}

  // Asking every process takes as long as the slowest callback: meanwhile others may ask.
  Next handle_call(const StatusRequest&, From<StatusRequest> from);
  Next handle_call(const NamesRequest& request, From<NamesRequest> from);
  std::string handle_call(const AdmitVoterRequest&) { return answers_.admit(); }
  Next handle_call(const CrashRequest& request, From<CrashRequest> from);

 private:
  const Answers& answers_;
};

}  // namespace coterie
