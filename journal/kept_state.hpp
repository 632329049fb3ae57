#pragma once
// What a snapshot of a process holds: its state as the process packed it, and the window of
// requests that it remembers, so that a repeat is known again after a replay that begins there.
// Packed as one value; fields are appended only.

#include <coterie/bytes.hpp>

#include "journal/request_window.hpp"

namespace coterie {

struct KeptState {
  Bytes state;
  RequestWindow::Kept window;
};

}  // namespace coterie
