#include "node/node_server.hpp"

#include <coterie/process.hpp>

namespace coterie {

GenServer::Next NodeServer::handle_call(const StatusRequest&, From<StatusRequest> from) {
  spawn([from, &answers = answers_] { from.reply(answers.status()); }, {.label = "status"});
  return noreply();
}

GenServer::Next NodeServer::handle_call(const NamesRequest& request, From<NamesRequest> from) {
  spawn([from, kind = request.kind, &answers = answers_] { from.reply(answers.names(kind)); },
        {.label = "names"});
  return noreply();
}

GenServer::Next NodeServer::handle_call(const CrashRequest& request, From<CrashRequest> from) {
  if (!answers_.faulty) {
    from.reply("this node was started without --faults");
    return noreply();
  }
  // Looking a name up may wait.
  spawn(
      [from, request] {
        const std::size_t slash = request.name.find('/');
        const auto pid = slash == std::string::npos
                             ? std::nullopt
                             : whereis(ServerRef(via(request.name.substr(0, slash),
                                                     request.name.substr(slash + 1))));
        if (pid) exit(*pid, ExitReason::term(request.reason));
        from.reply(pid ? "" : request.name + " does not run");
      },
      {.label = "crash_name"});
  return noreply();
}

}  // namespace coterie
