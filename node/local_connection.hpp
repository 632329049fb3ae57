#pragma once
// One TCP connection through a proxy of LocalNetwork: what comes in on one side goes out on the
// other, later, slower or not at all, as its link says. Never more than a bounded number of bytes
// wait in it: then the sender's own buffers fill, as on a network that is full. Used by the
// network's thread, under its lock.

#include <poll.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <coterie/time.hpp>

#include "node/file_descriptor.hpp"
#include "process/ports/random.hpp"

namespace coterie {

/// What the network does to everything that one node sends to another, at this moment.
struct LinkFaults {
  unsigned partitions = 0;  // cuts that end by themselves: what waits arrives then
  unsigned one_ways = 0;    // cuts whose connections are reset when they end
  Duration latency{};
  Duration jitter{};
  std::optional<std::uint64_t> bytes_per_second{};
  std::optional<std::uint64_t> frame_bytes_max{};  // a connection stalls from a larger one on

  bool cut() const noexcept { return partitions + one_ways > 0; }
};

/// The bytes that a throttled link may still carry now. Grows with time, up to a tenth of a second.
class ByteAllowance {
 public:
  std::size_t left(const LinkFaults& faults, Time now);
  void spend(std::size_t bytes) noexcept { left_ -= static_cast<double>(bytes); }

 private:
  double left_ = 0;
  Time at_{};
};

/// Where frames begin in a stream of ZMTP 3 (RFC 23), encrypted or not: 64 bytes of greeting, then
/// flags, a length of 1 or 8 bytes, and the frame.
class FrameScan {
 public:
  /// Takes the next bytes. The offset among them of the first frame above `limit`, if there is one.
  std::optional<std::size_t> take(std::string_view bytes, std::optional<std::uint64_t> limit);

 private:
  std::uint64_t skip_ = 64;  // bytes until the next frame's first
  std::string head_;         // of the frame that begins
};

class LocalConnection final {
 public:
  /// `downstream`: whom a node dialled; `upstream`: the listener that it meant. Both non-blocking.
  LocalConnection(std::size_t link, FileDescriptor downstream, FileDescriptor upstream);

  std::size_t link() const noexcept { return link_; }
  /// Adds what to wait for. The earliest moment at which there is something to do anyway.
  Time wants(const LinkFaults& faults, ByteAllowance& allowance, Time now,
             std::vector<pollfd>& wanted);
  /// After a wait, with the two that wants() added. False: one side is broken.
  bool receive(const LinkFaults& faults, Time now, Random& random, const pollfd* found);
  /// The upstream side has ended; nobody downstream is told before pass_on().
  bool upstream_ended() const noexcept { return back_.ended; }
  /// False: the connection is over, by both ends or because one side is broken.
  bool pass_on(const LinkFaults& faults, ByteAllowance& allowance, Time now);
  bool stalled() const noexcept { return stalled_; }
  /// Both ends see a reset, and what waits here is lost.
  void reset();

 private:
  struct Chunk {
    Time due;
    std::string bytes;
    std::size_t sent = 0;
  };
  /// One direction.
  struct Way {
    std::deque<Chunk> chunks;
    std::size_t bytes = 0;  // in them
    bool ended = false;     // nothing more comes in
    bool closed = false;    // and that is told
  };
  bool read(int from, Way& way, const LinkFaults& faults, Time now, Random& random);
  bool write(int to, Way& way, const LinkFaults& faults, ByteAllowance& allowance, Time now);

  const std::size_t link_;
  FileDescriptor downstream_, upstream_;
  Way forward_, back_;
  FrameScan frames_;
  bool stalled_ = false;  // from a large frame on
};

}  // namespace coterie
