#include "supervision/strategy.hpp"

namespace coterie::detail {

RestartPlan one_for_all(std::span<const ChildView> children, std::size_t failed) {
  RestartPlan plan;
  for (std::size_t i = children.size(); i-- > 0;) {
    if (i != failed && children[i].running) plan.stop.push_back(i);
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    const bool gone = i != failed && children[i].restart == Restart::temporary;
    (gone ? plan.remove : plan.start).push_back(i);
  }
  return plan;
}

}  // namespace coterie::detail
