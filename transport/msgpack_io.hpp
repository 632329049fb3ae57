#pragma once
// Writing and reading of MessagePack by hand, for frames and envelopes: no intermediate objects,
// no exceptions. The reader never trusts a length: every one is checked against the bytes that
// are present, so a hostile frame can neither make it allocate more than its own size nor recurse
// deeper than `depth_max`. Values, used by one thread at a time. Format: msgpack.org spec.md.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <coterie/bytes.hpp>

namespace coterie::wire {

/// Writes where there is room: the caller knows how much it takes at most.
class RawWriter {
 public:
  explicit RawWriter(char* at) noexcept : at_(at) {}
  /// Behind what has been written.
  char* at() const noexcept { return at_; }

  void array(std::size_t count) noexcept {
    if (count < 16) {
      byte(0x90 | static_cast<unsigned>(count));
    } else if (count <= 0xffff) {
      fixed_array(count);
    } else {
      tagged<std::uint32_t>(0xdd, count);
    }
  }
  /// Always 3 bytes; count < 65536.
  void fixed_array(std::size_t count) noexcept { tagged<std::uint16_t>(0xdc, count); }
  void unsigned_integer(std::uint64_t value) noexcept {
    if (value < 0x80) {
      byte(static_cast<unsigned>(value));
    } else if (value <= 0xff) {
      tagged<std::uint8_t>(0xcc, value);
    } else if (value <= 0xffff) {
      tagged<std::uint16_t>(0xcd, value);
    } else if (value <= 0xffffffff) {
      tagged<std::uint32_t>(0xce, value);
    } else {
      tagged<std::uint64_t>(0xcf, value);
    }
  }
  /// Always 9 bytes, so that the value can be changed in place.
  void fixed64(std::uint64_t value) noexcept { tagged<std::uint64_t>(0xcf, value); }
  /// Always 3 bytes.
  void fixed16(std::uint16_t value) noexcept { tagged<std::uint16_t>(0xcd, value); }
  void boolean(bool value) noexcept { byte(value ? 0xc3 : 0xc2); }
  void string_head(std::size_t size) noexcept {
    if (size < 32) {
      byte(0xa0 | static_cast<unsigned>(size));
    } else if (size <= 0xff) {
      tagged<std::uint8_t>(0xd9, size);
    } else if (size <= 0xffff) {
      tagged<std::uint16_t>(0xda, size);
    } else {
      tagged<std::uint32_t>(0xdb, size);
    }
  }
  void binary_head(std::size_t size) noexcept {
    if (size <= 0xff) {
      tagged<std::uint8_t>(0xc4, size);
    } else if (size <= 0xffff) {
      tagged<std::uint16_t>(0xc5, size);
    } else {
      tagged<std::uint32_t>(0xc6, size);
    }
  }
  void string(std::string_view text) noexcept {
    string_head(text.size());
    raw(text);
  }
  void binary(BytesView bytes) noexcept {
    binary_head(bytes.size());
    raw(bytes);
  }

 private:
  void byte(unsigned value) noexcept { *at_++ = static_cast<char>(value); }
  void raw(BytesView bytes) noexcept {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  /// `tag`, and `value` with its highest byte first.
  template <class Unsigned>
  void tagged(unsigned tag, std::uint64_t value) noexcept {
    byte(tag);
    for (unsigned shift = 8 * sizeof(Unsigned); shift > 0; shift -= 8) {
      byte(static_cast<unsigned>(value >> (shift - 8)) & 0xff);
    }
  }
  char* at_;
};

/// Appends to a string that the caller owns.
class Writer {
 public:
  explicit Writer(Bytes& out) noexcept : out_(out) {}
  void array(std::size_t count);
  void unsigned_integer(std::uint64_t value);
  void boolean(bool value);
  void string(std::string_view text);
  void binary(BytesView bytes);
  /// Only the head of a binary of `size` bytes; the caller appends them.
  void binary_head(std::size_t size);

 private:
  template <class Write>
  void head(Write write);
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
  /// The size of a binary whose bytes are elsewhere.
  std::uint64_t binary_head() noexcept;
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
