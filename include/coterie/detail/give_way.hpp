#pragma once
// Copying much without holding up others. A message of a gigabyte takes its worker a good part of a
// second to pack, and again to unpack; whoever is parked on that worker would wait as long. So both
// copy in portions, and where the caller says that it may wait, the worker runs others in between.
// Functions act for the calling thread. Idea: the reductions that BEAM counts in term_to_binary.

#include <cstddef>

#include <coterie/bytes.hpp>

namespace coterie::detail {

/// Some tenths of a millisecond, with the page faults of new memory.
inline constexpr std::size_t portion_bytes = std::size_t{1} << 20;

/// While one lives, what this process packs or unpacks gives way between two portions. For code of
/// the runtime that holds no lock and is the process's own: as any wait, it is a point at which an
/// exit ends the process.
class GivesWay {
 public:
  GivesWay() noexcept;
  ~GivesWay();
  GivesWay(const GivesWay&) = delete;
  GivesWay& operator=(const GivesWay&) = delete;

 private:
  const bool outer_;
};

/// Between two portions. Nothing happens without a GivesWay, and outside workers.
void give_way();

/// Appends `bytes`, in portions if they are many.
void append_much(Bytes& to, BytesView bytes);

}  // namespace coterie::detail
