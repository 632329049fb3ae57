#pragma once
// Strict names of processes that run already: a process of this node is given one, or has it taken
// away. A server that is started with a name does this in its start (process/server_start.cpp).
// Functions run in the calling process, which they park; only the named process changes what it
// holds, between two of its callbacks.

#include <coterie/global.hpp>
#include <coterie/server_ref.hpp>

namespace coterie::detail {

/// `pid` is of this node. What was reserved is given back when anything goes wrong, also when the
/// calling process is killed meanwhile.
Global::Result<Epoch> hold_name(const ViaName& name, const Pid& pid, Duration timeout);

/// `pid`, of this node, has the name no more; false: it does not have it, or did not get to it in
/// time. The release is under way, in order with what is asked for the name on this node.
bool drop_name(const ViaName& name, const Pid& pid, Duration timeout);

}  // namespace coterie::detail
