#pragma once
// One `coterie node` as a process group of this machine: starting it, and signals that reach only
// what they are meant for. Used by LocalCluster; one thread.

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace coterie::local_program {

/// Starts `arguments` (the first names the program in its own list) as the leader of a new process
/// group, its output appended to `log`. It gets SIGTERM when the calling thread ends.
std::expected<pid_t, std::string> start(const std::filesystem::path& program,
                                        const std::vector<std::string>& arguments,
                                        const std::filesystem::path& log);

/// The pid in `file`, if it is a living child of `parent`.
std::optional<pid_t> child_in(const std::filesystem::path& file, pid_t parent);

/// Signals `pid` if it is a living child of `parent` at that moment; else the error says why not.
std::expected<void, std::string> signal_child(pid_t pid, pid_t parent, int signal);

/// The exit code of a child that has ended (128 + the signal), which is not reaped: its pid and
/// group stay its own.
std::optional<int> ended(pid_t child);

/// SIGKILL to all of the group at once; returns when all have ended and are reaped.
void end_group(pid_t leader);

/// From now on, orphaned grandchildren become children of this program.
void adopt_orphans();

}  // namespace coterie::local_program
