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
// On a rare path: what a slow moment before a statement takes.
constexpr Duration rare_pause = std::chrono::milliseconds(40);

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

void ClusterInstance::act(act::Scan&& scan) {
  const auto told = [](std::optional<FoundRows> rows, std::string error) -> Finish {
    return [rows = std::move(rows), error = std::move(error)](ClusterInstance& self) mutable {
      self.storage_error_ = std::move(error);
      self.core_.scanned(std::move(rows), self.now());
    };
  };
  if (rare(options_.rare, "supervision.rows_unread")) {
    return help([told] { return told(std::nullopt, "the store did not answer in time"); },
                told(std::nullopt, {}));
  }
  help(
      [told, store = store_, view = ports_->agreement.view(), id = node_id_,
       after = std::move(scan.after)] {
        // By value: should this process be killed meanwhile, the read outlives it.
        auto found = blocking([store, view, id, after] { return store->scan(*view, id, after); });
        return found ? told(std::move(*found), {})
                     : told(std::nullopt, std::move(found.error().message));
      },
      told(std::nullopt, "the process that reads the rows ended"));
}

void ClusterInstance::act(act::Read&& read) {
  const auto told = [](FoundRows rows) -> Finish {
    return [rows = std::move(rows)](ClusterInstance& self) mutable {
      self.core_.rows_read(std::move(rows), self.now());
    };
  };
  help(
      [told, store = store_, keys = std::move(read.keys),
       unread = rare(options_.rare, "supervision.row_unread")] {
        if (unread) return told({});
        auto found = blocking([store, keys] { return store->read(keys); });
        // Not read now, found by the next sweep.
        return told(found ? std::move(*found) : FoundRows{});
      },
      told({}));
}

void ClusterInstance::act(act::Write&& write) {
  const auto told = [](std::vector<RowResult> results, std::string error) -> Finish {
    return [results = std::move(results), error = std::move(error)](ClusterInstance& self) mutable {
      self.storage_error_ = std::move(error);
      self.core_.wrote(std::move(results), self.now());
    };
  };
  auto writes = std::make_shared<const std::vector<RowWrite>>(std::move(write.writes));
  std::vector<RowResult> none(writes->size());  // all lost: tried again
  help(
      [told, store = store_, writes, none, late = rare(options_.rare, "supervision.writes_late"),
       lost = rare(options_.rare, "supervision.answers_lost")] {
        if (late) sleep(rare_pause);
        auto [results, error] = blocking([store, writes] {
          std::string why;
          auto outcomes = store->write(*writes, why);
          return std::pair(std::move(outcomes), std::move(why));
        });
        if (lost) return told(none, "the answer to a statement was lost");
        return told(std::move(results), std::move(error));
      },
      told(none, "the process that writes rows ended"));
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
  const RequestId request = resolve.request;
  help(
      [names, request, registry = options_.registry, key = std::move(resolve.key)] {
        const auto location = names->resolve(registry, key, true, resolve_timeout);
        ChildError error{Code::already_started, {}, {}, {}};
        if (location) {
          error.pid = location->pid;
        } else {
          error.code = location.error().code == NameError::Code::not_found ? Code::starting
                                                                           : Code::unavailable;
          error.detail = location.error().message;
        }
        return answering(request, std::unexpected(std::move(error)));
      },
      refusing(request, Code::unavailable, "the process that looked it up ended"));
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
