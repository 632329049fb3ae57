#include "node/node_server.hpp"

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

}  // namespace coterie
