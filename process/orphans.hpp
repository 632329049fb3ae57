#pragma once
// The leak report at the end of a node: a warning that counts the processes which nobody
// supervises, by type and label.

#include <coterie/time.hpp>

namespace coterie::detail {

class Runtime;

/// Called by a process of the runtime, an attached thread for example; parks it at most `timeout`.
void warn_of_orphans(Runtime& runtime, Duration timeout);

}  // namespace coterie::detail
