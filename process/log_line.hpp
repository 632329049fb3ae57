#pragma once
// A log record as one line of text or JSON, within a bound of bytes. Pure. Control characters and
// bytes that are not UTF-8 are escaped, so that nobody's input can forge a line or steer a
// terminal.

#include <cstddef>
#include <string>

#include <coterie/log.hpp>

namespace coterie {

/// What follows the time and the level, without line end:
///   text: `a/transport: session lost peer=b sequence=17 why="no route"`; a cut line ends in `...`
///   JSON: `"node":"a","module":"transport","message":"session lost","fields":{"peer":"b"}}`, the
///         rest of an object; a cut one has `"truncated":true` behind its fields.
/// At most `bytes_max` bytes, which is at least 128.
std::string log_line(LogFormat format, const LogRecord& record, std::size_t bytes_max);

}  // namespace coterie
