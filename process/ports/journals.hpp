#pragma once
// The port from a process to the node's journals: appends and opens that are answered later, so
// that the process parks and the node's writer gathers what many processes ask for into one commit.

#include <functional>
#include <string>
#include <vector>

#include "process/ports/storage.hpp"

namespace coterie {

struct JournalHabits {
  bool snapshots_often = false;  // whoever takes snapshots now and then takes one after each event
  bool requests_bounded = true;  // false: a mutant of tests
};

class Journals {
 public:
  using Appended = std::move_only_function<void(StorageResult<void>)>;
  using Opened = std::move_only_function<void(StorageResult<std::vector<Event>>)>;

  Journals() = default;
  Journals(const Journals&) = delete;
  Journals& operator=(const Journals&) = delete;
  virtual ~Journals() = default;

  /// Any thread. The completion runs once, on any thread or before the call returns.
  virtual void append(Append append, Appended done) = 0;
  virtual void open(std::string stream, Epoch epoch, Opened done) = 0;
  /// What the journals of the node's processes do that they would not do by themselves.
  virtual JournalHabits habits() const noexcept { return {}; }
  /// Told after each replay and append: the stream's owner remembers so many requests, and may
  /// remember `most`. For who watches bounds; any thread.
  virtual void remembers(std::size_t requests, std::size_t most) noexcept {
    static_cast<void>(requests);
    static_cast<void>(most);
  }
};

}  // namespace coterie
