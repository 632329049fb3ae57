// What the core has decided, carried out: nothing here decides.

#include <algorithm>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/cluster_instance.hpp"

namespace coterie::detail {

using Code = ChildError::Code;

namespace {

constexpr Duration tick_max = std::chrono::milliseconds(250);
constexpr Duration resolve_timeout = std::chrono::seconds(1);

}  // namespace

GenServer::Next ClusterInstance::perform() {
  for (auto actions = core_.take(); !actions.empty(); actions = core_.take()) {
    for (auto& action : actions) {
      std::visit([this](auto& one) { act(std::move(one)); }, action);
    }
  }
  if (escalate_) return stop(ExitReason::shutdown());
  const Time at = now();
  const Time wake = std::min(core_.next_wake(), after(at, tick_max));
  if (wake < tick_at_) {
    tick_at_ = wake;
    send_after(std::max(wake - at, Duration::zero()), self(), instance::Tick(++ticks_));
  }
  return noreply();
}

void ClusterInstance::act(act::Scan&&) {
  spawn([instance = self(), store = store_, view = ports_->agreement.view(), id = node_id_] {
    auto rows = blocking([store, view, id] { return store->scan(*view, id); });
    if (rows) {
      cast(instance, instance::Scanned(std::move(*rows), true, {}));
    } else {
      cast(instance, instance::Scanned({}, false, std::move(rows.error().message)));
    }
  });
}

void ClusterInstance::act(act::Read&& read) {
  spawn([instance = self(), store = store_, keys = std::move(read.keys)] {
    auto rows = blocking([store, keys] { return store->read(keys); });
    // Not read now, found by the next sweep.
    if (!rows) rows.emplace();
    cast(instance, instance::RowsRead(std::move(*rows)));
  });
}

void ClusterInstance::act(act::Write&& write) {
  spawn([instance = self(), store = store_, writes = std::move(write.writes)] {
    auto shared = std::make_shared<const std::vector<RowWrite>>(std::move(writes));
    auto [results, error] = blocking([store, shared] {
      std::string why;
      auto outcomes = store->write(*shared, why);
      return std::pair(std::move(outcomes), std::move(why));
    });
    cast(instance, instance::Wrote(std::move(results), std::move(error)));
  });
}

void ClusterInstance::act(act::Start&& start) {
  // The core starts no more at once than there are cells.
  const std::size_t cell = idle_.back();
  idle_.pop_back();
  cast(cells_[cell], cell::Start(std::move(start.key), std::move(start.args)));
}

void ClusterInstance::act(act::Stop&& stop) {
  const auto found = running_.find(stop.key);
  // Otherwise its end is in the mailbox already, and the core hears of it next.
  if (found != running_.end()) cast(cells_[found->second.cell], cell::Stop(found->second.pid));
}

void ClusterInstance::act(act::Answer&& done) { answer(done.request, std::move(done.result)); }

void ClusterInstance::act(act::Resolve&& resolve) {
  NameService* names = current_process().runtime().names();
  if (names == nullptr) {
    return answer(resolve.request, std::unexpected(ChildError{Code::starting, {}, {}, {}}));
  }
  spawn([instance = self(), names, request = resolve.request, registry = options_.registry,
         key = std::move(resolve.key)] {
    const auto location = names->resolve(registry, key, true, resolve_timeout);
    ChildError error{Code::already_started, {}, {}, {}};
    if (location) {
      error.pid = location->pid;
    } else {
      error.code =
          location.error().code == NameError::Code::not_found ? Code::starting : Code::unavailable;
      error.detail = location.error().message;
    }
    cast(instance, instance::Answered(request, std::unexpected(std::move(error))));
  });
}

void ClusterInstance::act(act::Adopt&& adopt) {
  cast(at(options_.name, adopt.node), cluster::Adopt{std::move(adopt.keys)});
}

void ClusterInstance::act(act::Drained&& drained) {
  for (const auto& from : std::exchange(draining_, {})) from.reply(drained.left);
}

void ClusterInstance::act(act::Note&& note) {
  Log& log = current_process().runtime().log();
  const LogLevel level = note.level == act::Note::Level::error     ? LogLevel::error
                         : note.level == act::Note::Level::warning ? LogLevel::warning
                                                                   : LogLevel::info;
  log.log(LogModule::supervision, level, note.text,
          {{"supervisor", options_.name}, {"key", note.key}, {"reason", note.why}});
}

}  // namespace coterie::detail
