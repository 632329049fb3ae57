#pragma once
// A sign beside a node's journal file: "I want its write lock". SQLite's lock is polled and has no
// queue, so a node that appends without a pause would keep an opener out for as long as it likes.
// It is a lock of its own on a file of its own, so it goes away with a process that dies.

#include <string>

namespace coterie::detail {

class SqliteTurn {
 public:
  SqliteTurn() = default;
  /// `path` of the sign; it is made if it is missing. Without it there is no politeness, only luck.
  explicit SqliteTurn(const std::string& path);
  SqliteTurn(SqliteTurn&& other) noexcept;
  SqliteTurn& operator=(SqliteTurn&& other) noexcept;
  ~SqliteTurn();

  void want();
  void done();
  /// Called by the owner before it takes the lock: if somebody wants it, gives it time.
  void give_way() const;

 private:
  int descriptor_ = -1;
};

}  // namespace coterie::detail
