#include "transport/msgpack_io.hpp"

namespace coterie::wire {

template <class Write>
void Writer::head(Write write) {
  char bytes[9];
  RawWriter raw(bytes);
  write(raw);
  out_.append(bytes, static_cast<std::size_t>(raw.at() - bytes));
}

void Writer::array(std::size_t count) {
  head([&](RawWriter& raw) { raw.array(count); });
}

void Writer::unsigned_integer(std::uint64_t value) {
  head([&](RawWriter& raw) { raw.unsigned_integer(value); });
}

void Writer::boolean(bool value) {
  head([&](RawWriter& raw) { raw.boolean(value); });
}

void Writer::string(std::string_view text) {
  head([&](RawWriter& raw) { raw.string_head(text.size()); });
  out_.append(text);
}

void Writer::binary_head(std::size_t size) {
  head([&](RawWriter& raw) { raw.binary_head(size); });
}

void Writer::binary(BytesView bytes) {
  binary_head(bytes.size());
  out_.append(bytes);
}

void patch_fixed64(Bytes& bytes, std::size_t offset, std::uint64_t value) noexcept {
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[offset + 1 + i] = static_cast<char>((value >> (56 - 8 * i)) & 0xff);
  }
}

std::size_t Reader::array() noexcept {
  const unsigned head = byte();
  std::uint64_t count = 0;
  if ((head & 0xf0) == 0x90) {
    count = head & 0x0f;
  } else if (head == 0xdc) {
    count = big_endian(2);
  } else if (head == 0xdd) {
    count = big_endian(4);
  } else {
    fail();
  }
  // Every element takes at least one byte, so a larger count is a lie.
  if (count > in_.size()) fail();
  return ok_ ? static_cast<std::size_t>(count) : 0;
}

std::uint64_t Reader::long_integer(unsigned head) noexcept {
  switch (head) {
    case 0xcc:
      return big_endian(1);
    case 0xcd:
      return big_endian(2);
    case 0xce:
      return big_endian(4);
    case 0xcf:
      return big_endian(8);
    default:
      fail();
      return 0;
  }
}

bool Reader::boolean() noexcept {
  const unsigned head = byte();
  if (head != 0xc2 && head != 0xc3) fail();
  return head == 0xc3;
}

std::string_view Reader::long_string(unsigned head) noexcept {
  switch (head) {
    case 0xc4:
    case 0xd9:
      return take(big_endian(1));
    case 0xc5:
    case 0xda:
      return take(big_endian(2));
    case 0xc6:
    case 0xdb:
      return take(big_endian(4));
    default:
      fail();
      return {};
  }
}

std::uint64_t Reader::binary_head() noexcept {
  switch (byte()) {
    case 0xc4:
      return big_endian(1);
    case 0xc5:
      return big_endian(2);
    case 0xc6:
      return big_endian(4);
    default:
      fail();
      return 0;
  }
}

void Reader::skip(int depth) noexcept {
  if (depth > depth_max) return fail();
  const unsigned head = byte();
  std::uint64_t elements = 0;
  if (head < 0x80 || head >= 0xe0 || head == 0xc0 || head == 0xc2 || head == 0xc3) return;
  if ((head & 0xf0) == 0x80) {
    elements = 2u * (head & 0x0f);
  } else if ((head & 0xf0) == 0x90) {
    elements = head & 0x0f;
  } else if ((head & 0xe0) == 0xa0) {
    take(head & 0x1f);
  } else {
    switch (head) {
      case 0xc4:
      case 0xd9:
        take(big_endian(1));
        break;
      case 0xc5:
      case 0xda:
        take(big_endian(2));
        break;
      case 0xc6:
      case 0xdb:
        take(big_endian(4));
        break;
      case 0xc7:
        take(big_endian(1) + 1);
        break;
      case 0xc8:
        take(big_endian(2) + 1);
        break;
      case 0xc9:
        take(big_endian(4) + 1);
        break;
      case 0xcc:
      case 0xd0:
        take(1);
        break;
      case 0xcd:
      case 0xd1:
        take(2);
        break;
      case 0xca:
      case 0xce:
      case 0xd2:
        take(4);
        break;
      case 0xcb:
      case 0xcf:
      case 0xd3:
        take(8);
        break;
      case 0xd4:
        take(2);
        break;
      case 0xd5:
        take(3);
        break;
      case 0xd6:
        take(5);
        break;
      case 0xd7:
        take(9);
        break;
      case 0xd8:
        take(17);
        break;
      case 0xdc:
        elements = big_endian(2);
        break;
      case 0xdd:
        elements = big_endian(4);
        break;
      case 0xde:
        elements = 2 * big_endian(2);
        break;
      case 0xdf:
        elements = 2 * big_endian(4);
        break;
      default:
        return fail();
    }
  }
  if (elements > in_.size()) return fail();
  for (; elements > 0 && ok_; --elements) skip(depth + 1);
}

}  // namespace coterie::wire
