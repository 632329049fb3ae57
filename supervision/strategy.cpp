#include "supervision/strategy.hpp"

namespace coterie::detail {

ExitDecision decide_exit(Restart restart, const ExitReason& reason) noexcept {
  using Act = ExitDecision::Act;
  switch (restart) {
    case Restart::permanent:
      return {Act::restart, true};
    case Restart::transient:
      return reason.is_clean() ? ExitDecision{Act::keep_spec, false}
                               : ExitDecision{Act::restart, true};
    case Restart::temporary:
      return {Act::remove, !reason.is_clean()};
  }
  return {Act::remove, true};
}

RestartPlan decide_restart(Strategy strategy, std::span<const ChildView> children,
                           std::size_t failed) {
  switch (strategy) {
    case Strategy::one_for_one:
      return one_for_one(children, failed);
    case Strategy::one_for_all:
      return one_for_all(children, failed);
    case Strategy::rest_for_one:
      return rest_for_one(children, failed);
  }
  return {};
}

bool decide_auto_shutdown(AutoShutdown policy, bool significant,
                          std::size_t significant_running) noexcept {
  if (!significant) return false;
  switch (policy) {
    case AutoShutdown::never:
      return false;
    case AutoShutdown::any_significant:
      return true;
    case AutoShutdown::all_significant:
      return significant_running == 0;
  }
  return false;
}

}  // namespace coterie::detail
