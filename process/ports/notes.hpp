#pragma once
// The port through which the agreement of this node talks to that of others: small notes beside the
// processes' messages, on the links' control lane, so that no amount of data delays them. A note
// may be lost, and nothing is promised about their order; who needs more repeats. transport/
// implements it, a simulated network does so too.

#include <string_view>

#include <coterie/bytes.hpp>

namespace coterie {

class Notes {
 public:
  static constexpr std::size_t bytes_max = 512 * 1024;

  virtual ~Notes() = default;
  /// Any thread; never blocks. To whatever incarnation of that node is connected.
  virtual void send_note(std::string_view node, Bytes note) = 0;
};

}  // namespace coterie
