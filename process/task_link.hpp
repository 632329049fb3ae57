#pragma once
// The link between a task and its owner, once the owner knows how the task ended.

#include <coterie/pid.hpp>

namespace coterie::detail {

/// Breaks the link, and takes an exit signal that has become a message out of the mailbox.
void drop_link(const Pid& task);

}  // namespace coterie::detail
