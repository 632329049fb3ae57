// Events and status in OTP's words: gen_server:print_event, gen_server:format_status.

#include <coterie/sys.hpp>

namespace coterie::sys {
namespace {

std::string pid_text(const Pid& pid, NodeId here) { return to_string(pid, here); }

std::string list(const std::vector<std::string>& items, std::string_view quote = "") {
  std::string text = "[";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text.append(quote).append(item).append(quote);
  }
  return text + ']';
}

}  // namespace

std::string to_string(const Event& event) {
  std::string line = "*DBG* " + event.server;
  switch (event.kind) {
    case Event::Kind::call:
      return line + " got call " + event.message + " from " + pid_text(event.peer, event.pid.node);
    case Event::Kind::cast:
      return line + " got cast " + event.message;
    case Event::Kind::info:
      return line + " got " + event.message;
    case Event::Kind::continued:
      return line + " dbg  {continue," + event.message + "}";
    case Event::Kind::reply:
      return line + " sent " + event.message + " to " + pid_text(event.peer, event.pid.node) +
             ", new state " + event.state;
    case Event::Kind::state:
      return line + " new state " + event.state;
  }
  return line;
}

std::string to_string(const Status& status) {
  const NodeId here = status.pid.node;
  const std::string running = status.running == Running::suspended ? "suspended" : "running";
  const std::string parent = status.parent ? to_string(status.parent, here) : status.name;
  return "{status," + to_string(status.pid, here) + ",{module,gen_server},[[{'$initial_call'," +
         status.server + "},{'$ancestors'," + list(status.ancestors) + "}]," + running + "," +
         parent + "," + list(status.debug) + ",[{header,\"Status for generic server " +
         status.name + "\"},{data,[{\"Status\"," + running + "},{\"Parent\"," + parent +
         "},{\"Logged events\"," + list(status.log, "\"") + "}]},{data,[{\"State\"," +
         status.state + "}]}]]}";
}

}  // namespace coterie::sys
