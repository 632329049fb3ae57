#pragma once
// Big buffers in huge pages: the first touch of a gigabyte costs a quarter million page faults
// otherwise, in the middle of whatever a worker or a link is about. Any thread.

#include <coterie/bytes.hpp>

namespace coterie::detail {

/// reserve(), and where that is many megabytes advice to the kernel; small pages do as well.
void reserve_huge(Bytes& bytes, std::size_t capacity);

}  // namespace coterie::detail
