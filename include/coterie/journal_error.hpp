#pragma once
// Why a journal could not be read or written. A value; see <coterie/journal.hpp>.

#include <cstdint>
#include <string>

#include <coterie/exit_reason.hpp>

namespace coterie {

struct JournalError {
  enum class Code : std::uint8_t {
    unavailable,      // the storage is away, full or read-only
    corrupt,          // the past cannot be trusted; nothing is ever started from a part of it
    fenced,           // a later instance owns the stream: this one is out
    undecodable,      // an event is of no type that this program knows
    request_expired,  // the request ran, too long ago for its outcome to be remembered
  };
  Code code = Code::unavailable;
  /// append: the answer was lost, the event may be stored. Only a restart can tell.
  bool maybe_applied = false;
  std::string message{};

  /// For init: data_unavailable, or {shutdown,fenced}.
  ExitReason reason() const;
};
std::string to_string(const JournalError& error);

}  // namespace coterie
