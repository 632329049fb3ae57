#pragma once
// Reads a file of commands, as `coterie replay`, the demo and failover tests are given one.

#include <expected>
#include <string>
#include <vector>

#include <coterie/workload.hpp>

namespace coterie {

/// The error is one line that begins with the file's name: what cannot be read, or the place of
/// the first mistake.
std::expected<std::vector<WorkloadOperation>, std::string> read_workload_file(
    const Workload& workload, const std::string& path);

}  // namespace coterie
