#include "registry/name_holding.hpp"

#include <algorithm>
#include <atomic>
#include <memory>

#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

using Error = Global::Error;
using Act = std::function<bool(Process&)>;

enum class Ran : std::uint8_t { not_yet, now, yes, no, dead, late };

/// However the wait for an act ends, also by the end of the calling process: from then on it does
/// not run any more.
struct Settled {
  std::shared_ptr<std::atomic<Ran>> ran = std::make_shared<std::atomic<Ran>>(Ran::not_yet);
  ~Settled() { static_cast<void>(result()); }
  Ran result() const {
    Ran expected = Ran::not_yet;
    ran->compare_exchange_strong(expected, Ran::late);
    // Begun at the last moment: an act is a few assignments.
    while (ran->load() == Ran::now) {
    }
    return ran->load();
  }
};

/// What `act` returns when the process runs it: at once for the calling one, else between two of
/// its callbacks.
Ran run_inside(const Pid& pid, Act act, Duration timeout) {
  Process& self = current_process();
  if (pid == self.pid()) return act(self) ? Ran::yes : Ran::no;
  struct Told {};
  const Settled settled;
  await<Told>(
      [&](Completer done) {
        auto run = [ran = settled.ran, act, done](Process* target) {
          Ran expected = Ran::not_yet;
          if (!ran->compare_exchange_strong(expected, Ran::now)) return;
          const bool dead = target == nullptr || target->ending();
          ran->store(dead ? Ran::dead : act(*target) ? Ran::yes : Ran::no);
          done(Told{});
        };
        auto message = make_message(MessageKind::signal, RunInside{std::move(run)});
        if (self.runtime().push(pid, message) != PushResult::pushed) {
          settled.ran->store(Ran::dead);
          done(Told{});
        }
      },
      timeout);
  return settled.result();
}

Error error_of(const NameError& error) {
  const bool taken = error.code == NameError::Code::taken;
  return {taken ? Error::Code::taken : Error::Code::unavailable, error.holder, error.message};
}

std::unexpected<Error> failed(Error::Code code, std::string detail = {}) {
  return std::unexpected(Error{code, {}, std::move(detail)});
}

std::unexpected<Error> not_done(Ran ran, const Pid& pid) {
  const std::string text = "process " + to_string(pid, pid.node);
  if (ran == Ran::dead) return failed(Error::Code::noproc, text + " has ended");
  if (ran == Ran::no) return failed(Error::Code::has_name, text + " has another name");
  return failed(Error::Code::unavailable, text + " did not come to its next message in time");
}

bool nameless(Process& process) {
  const Names* mine = process.names_if_any();
  return mine == nullptr || mine->registration.id == 0;
}

}  // namespace

Global::Result<Epoch> hold_name(const ViaName& name, const Pid& pid, Duration timeout) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  NameService* const names = runtime.names();
  if (names == nullptr) return failed(Error::Code::unavailable, "this node is in no cluster");
  const Time end = after(runtime.clock().now(), timeout);
  const auto left = [&] { return std::max(end - runtime.clock().now(), Duration::zero()); };
  if (const Ran ran = run_inside(pid, nameless, left()); ran != Ran::yes) {
    return not_done(ran, pid);
  }
  const auto reserved = names->reserve(name.registry, name.key, pid, left());
  if (!reserved) return std::unexpected(error_of(reserved.error()));
  struct Reservation {
    NameService& names;
    const ViaName& name;
    const Pid& pid;
    const Registration& registration;
    std::shared_ptr<std::atomic<bool>> kept = std::make_shared<std::atomic<bool>>(false);
    ~Reservation() {
      if (!kept->load()) names.release(name.registry, name.key, pid, registration);
    }
  } const reservation{*names, name, pid, *reserved};
  const auto confirmed = names->confirm(name.registry, name.key, *reserved, left());
  if (!confirmed) return std::unexpected(error_of(confirmed.error()));
  // From here on others find the process; until it knows its epoch it refuses what they send, and
  // they ask again.
  const Ran ran = run_inside(
      pid,
      [name, registration = *reserved, kept = reservation.kept](Process& process) {
        if (!nameless(process)) return false;
        kept->store(true);
        Names& mine = process.names();
        mine.via = name;
        mine.via_text = to_string(ServerRef(name));
        mine.registration = registration;
        process.set_epoch(registration.epoch);
        return true;
      },
      left());
  if (ran != Ran::yes) return not_done(ran, pid);
  return reserved->epoch;
}

bool drop_name(const ViaName& name, const Pid& pid, Duration timeout) {
  NameService* const names = current_process().runtime().names();
  const auto drop = [names, name](Process& process) {
    Names* const mine = process.names_if_any();
    if (mine == nullptr || mine->registration.id == 0 || mine->via != name) return false;
    const Registration registration = std::exchange(mine->registration, {});
    mine->via = {};
    process.set_epoch({});
    names->release(name.registry, name.key, process.pid(), registration);
    return true;
  };
  return names != nullptr && run_inside(pid, drop, timeout) == Ran::yes;
}

}  // namespace coterie::detail
