#include "supervision/strategy.hpp"

namespace coterie::detail {

RestartPlan one_for_one(std::span<const ChildView>, std::size_t failed) {
  return {.stop = {}, .remove = {}, .start = {failed}};
}

}  // namespace coterie::detail
