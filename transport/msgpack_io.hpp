#pragma once
// Writing and reading of MessagePack by hand, for frames and envelopes: no intermediate objects,
// no exceptions. The reader never trusts a length: every one is checked against the bytes that
// are present, so a hostile frame can neither make it allocate more than its own size nor recurse
// deeper than `depth_max`. Values, used by one thread at a time. Format: msgpack.org spec.md.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <coterie/bytes.hpp>

namespace coterie::wire {

/// Appends to a string that the caller owns.
class Writer {
 public:
  explicit Writer(Bytes& out) noexcept : out_(out) {}
  void array(std::size_t count);
  /// Always 3 bytes; count < 65536.
  void fixed_array(std::size_t count);
  void unsigned_integer(std::uint64_t value);
  /// Always 9 bytes, so that the value can be changed in place.
  void fixed64(std::uint64_t value);
  /// Always 3 bytes.
  void fixed16(std::uint16_t value);
  void boolean(bool value);
  void string(std::string_view text);
  void binary(BytesView bytes);
  /// Only the head of a binary of `size` bytes; the caller appends them.
  void binary_head(std::size_t size);

 private:
  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  /// `head` and `size` bytes of `value`, the highest first.
  void head(unsigned head, std::uint64_t value, unsigned size) {
    char bytes[9];
    bytes[0] = static_cast<char>(head);
    for (unsigned i = size; i > 0; --i, value >>= 8) bytes[i] = static_cast<char>(value & 0xff);
    out_.append(bytes, size + 1);
  }
  Bytes& out_;
};

/// Overwrites the value that fixed64 wrote at `offset` (of its first byte).
void patch_fixed64(Bytes& bytes, std::size_t offset, std::uint64_t value) noexcept;

/// Reads one value after the other. After the first failure `ok()` is false and every further read
/// returns an empty value, so callers check once at the end. Views point into the input.
class Reader {
 public:
  static constexpr int depth_max = 64;

  explicit Reader(BytesView in) noexcept : in_(in) {}
  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return in_.empty(); }
  std::size_t remaining() const noexcept { return in_.size(); }
  /// Number of elements; never more than there are bytes left.
  std::size_t array() noexcept;
  std::uint64_t unsigned_integer() noexcept {
    const unsigned head = byte();
    return head < 0x80 ? head : long_integer(head);
  }
  bool boolean() noexcept;
  /// Strings and binaries are both accepted.
  std::string_view string() noexcept {
    const unsigned head = byte();
    return (head & 0xe0) == 0xa0 ? take(head & 0x1f) : long_string(head);
  }
  BytesView binary() noexcept { return string(); }
  /// Skips one value of any kind, however nested; fails beyond `depth_max`.
  void skip() noexcept { skip(0); }
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }

 private:
  std::uint64_t big_endian(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  unsigned byte() noexcept {
    const BytesView one = take(1);
    return one.empty() ? 0xc1 : static_cast<unsigned char>(one[0]);  // 0xc1 is never used
  }
  BytesView take(std::uint64_t size) noexcept {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const BytesView taken(in_.data(), static_cast<std::size_t>(size));
    in_.remove_prefix(taken.size());
    return taken;
  }
  std::uint64_t long_integer(unsigned head) noexcept;
  std::string_view long_string(unsigned head) noexcept;
  void skip(int depth) noexcept;

  BytesView in_;
  bool ok_ = true;
};

}  // namespace coterie::wire
