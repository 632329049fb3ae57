#pragma once
// Which process the calling thread runs: the one piece of ambient state. Workers set it around each
// slice, attached threads while they are attached; it is restored, so simulated nodes can nest.

namespace coterie::detail {

class Process;

/// Returns the old one.
Process* set_running_process(Process* process) noexcept;

}  // namespace coterie::detail
