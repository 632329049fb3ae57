#pragma once
// The log of a node and of its guardian, as the [log] section of the cluster file wants them. They
// write files of their own, because a file is rotated by the one program that has it open.

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <coterie/log.hpp>

#include "node/config.hpp"

namespace coterie {

/// `prefix` stands before the name of the file. The error is a line for people.
std::expected<std::unique_ptr<LogSink>, std::string> open_node_log(
    const LogSection& section, const std::string& state_directory, std::string_view prefix);

void set_levels(Log& log, const LogSection& section) noexcept;

}  // namespace coterie
