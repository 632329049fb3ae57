#include <coterie/global.hpp>

#include <algorithm>

#include <coterie/requests.hpp>

#include "process/runtime.hpp"
#include "registry/global_server.hpp"
#include "registry/name_holding.hpp"

namespace coterie {
namespace {

using namespace detail;
using Error = Global::Error;
using std::chrono::milliseconds;

// Between two looks at a name that is being released elsewhere.
constexpr Duration pause_min = milliseconds(5);
constexpr Duration pause_max = milliseconds(100);

std::unexpected<Error> failed(Error::Code code, std::string detail) {
  return std::unexpected(Error{code, {}, std::move(detail)});
}

class Deadline {
 public:
  explicit Deadline(Duration timeout)
      : clock_(current_process().runtime().clock()), end_(after(clock_.now(), timeout)) {}
  Duration left() const { return std::max(end_ - clock_.now(), Duration::zero()); }
  std::int64_t left_ms() const { return std::chrono::duration_cast<milliseconds>(left()).count(); }
  bool over() const { return left() == Duration::zero(); }

 private:
  const Clock& clock_;
  const Time end_;
};

/// The server of the node on which the process runs.
Global::Result<ServerRef> server_of(const Pid& pid) {
  if (const Distribution* links = current_process().runtime().distribution()) {
    for (const Peer& peer : links->peers()) {
      if (peer.incarnation.id == pid.node) return at(GlobalServer::local_name, peer.name);
    }
  }
  return failed(Error::Code::unavailable,
                "the node of process " + to_string(pid) + " is not connected");
}

Global::Result<Epoch> hold(const std::string& name, const Pid& pid, const Deadline& deadline) {
  if (pid.node == self().node) return hold_name({global_registry, name}, pid, deadline.left());
  const auto server = server_of(pid);
  if (!server) return std::unexpected(server.error());
  const auto answer =
      call(*server, GlobalServer::Hold{name, pid, deadline.left_ms()}, deadline.left());
  if (!answer) return failed(Error::Code::unavailable, to_string(answer.error()));
  if (answer->error) return std::unexpected(Error{*answer->error, answer->holder, answer->detail});
  return answer->epoch;
}

Global::Result<Location> look(const std::string& name, Duration timeout) {
  NameService* const names = current_process().runtime().names();
  if (names == nullptr) return failed(Error::Code::unavailable, "this node is in no cluster");
  auto found = names->resolve(global_registry, name, true, timeout);
  if (found) return *found;
  const bool nobody = found.error().code == NameError::Code::not_found;
  return failed(nobody ? Error::Code::not_found : Error::Code::unavailable, found.error().message);
}

/// Until nobody has the name under that epoch, or of that process.
Global::Result<void> wait_for_release(const std::string& name, const Location& before,
                                      const Deadline& deadline) {
  for (Duration pause = pause_min;; pause = std::min(pause * 2, pause_max)) {
    const auto now = look(name, deadline.left());
    if (now && now->epoch != before.epoch) return {};
    if (!now && now.error().code == Error::Code::not_found) return {};
    if (deadline.left() <= pause) {
      return failed(Error::Code::unavailable, "the name " + name + " was not released in time");
    }
    sleep(pause);
  }
}

}  // namespace

Global::Result<Epoch> Global::register_name(const std::string& name, const Pid& pid,
                                            Duration timeout) {
  return hold(name, pid, Deadline(timeout));
}

Global::Result<Epoch> Global::re_register_name(const std::string& name, const Pid& pid,
                                               Duration timeout) {
  const Deadline deadline(timeout);
  for (;;) {
    auto held = hold(name, pid, deadline);
    if (held || held.error().code != Error::Code::taken || deadline.over()) return held;
    if (const auto gone = unregister_name(name, deadline.left()); !gone) {
      return std::unexpected(gone.error());
    }
  }
}

Global::Result<void> Global::unregister_name(const std::string& name, Duration timeout) {
  const Deadline deadline(timeout);
  const auto held = look(name, timeout);
  if (!held) {
    if (held.error().code == Error::Code::not_found) return {};
    return std::unexpected(held.error());
  }
  if (held->pid.node == self().node) {
    drop_global(name, held->pid, deadline.left());
  } else if (const auto server = server_of(held->pid)) {
    static_cast<void>(
        call(*server, GlobalServer::Drop{name, held->pid, deadline.left_ms()}, deadline.left()));
  }
  // Whoever did not drop it may be ending: then it is released all the same.
  return wait_for_release(name, *held, deadline);
}

Global::Result<Pid> Global::whereis_name(const std::string& name, Duration timeout) {
  auto found = look(name, timeout);
  if (!found) return std::unexpected(std::move(found.error()));
  return found->pid;
}

std::vector<std::string> Global::registered_names(Duration timeout) {
  const auto all = multi_call(GlobalServer::local_name, GlobalServer::Held{}, timeout);
  std::vector<std::string> names;
  for (const auto& [node, held] : all.replies) names.insert(names.end(), held.begin(), held.end());
  std::ranges::sort(names);
  const auto twice = std::ranges::unique(names);
  names.erase(twice.begin(), twice.end());
  return names;
}

std::string to_string(const Global::Error& error) {
  std::string text;
  switch (error.code) {
    case Error::Code::taken:
      text = "taken by " + to_string(error.holder);
      break;
    case Error::Code::has_name:
      text = "has_name";
      break;
    case Error::Code::noproc:
      text = "noproc";
      break;
    case Error::Code::not_found:
      text = "not_found";
      break;
    case Error::Code::unavailable:
      text = "unavailable";
      break;
  }
  return error.detail.empty() ? text : text + ": " + error.detail;
}

}  // namespace coterie
