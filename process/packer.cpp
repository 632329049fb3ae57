#include <coterie/packer.hpp>

#include <array>
#include <bit>
#include <limits>
#include <stdexcept>

#include <coterie/detail/give_way.hpp>

namespace coterie {
namespace {

std::uint64_t checked_size(std::size_t size, const char* what) {
  if (size > std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error(std::string("MessagePack cannot hold ") + what + " of " +
                            std::to_string(size));
  }
  return size;
}

}  // namespace

// A tag and the lowest `bytes` bytes of `value`, most significant first.
void Packer::header(std::uint8_t tag, std::uint64_t value, int bytes) {
  std::array<char, 9> text;
  text[0] = static_cast<char>(tag);
  for (int i = 0; i < bytes; ++i) {
    text[static_cast<std::size_t>(i) + 1] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  }
  out_->append(text.data(), static_cast<std::size_t>(bytes) + 1);
}

void Packer::nil() { out_->push_back(static_cast<char>(0xc0)); }

void Packer::boolean(bool value) { out_->push_back(static_cast<char>(value ? 0xc3 : 0xc2)); }

void Packer::integer(std::int64_t value) {
  if (value >= 0) return unsigned_integer(static_cast<std::uint64_t>(value));
  const auto bits = static_cast<std::uint64_t>(value);
  if (value >= -32) {
    out_->push_back(static_cast<char>(value));
  } else if (value >= std::numeric_limits<std::int8_t>::min()) {
    header(0xd0, bits, 1);
  } else if (value >= std::numeric_limits<std::int16_t>::min()) {
    header(0xd1, bits, 2);
  } else if (value >= std::numeric_limits<std::int32_t>::min()) {
    header(0xd2, bits, 4);
  } else {
    header(0xd3, bits, 8);
  }
}

void Packer::unsigned_integer(std::uint64_t value) {
  if (value < 0x80) {
    out_->push_back(static_cast<char>(value));
  } else if (value <= 0xff) {
    header(0xcc, value, 1);
  } else if (value <= 0xffff) {
    header(0xcd, value, 2);
  } else if (value <= 0xffff'ffff) {
    header(0xce, value, 4);
  } else {
    header(0xcf, value, 8);
  }
}

void Packer::real(float value) { header(0xca, std::bit_cast<std::uint32_t>(value), 4); }
void Packer::real(double value) { header(0xcb, std::bit_cast<std::uint64_t>(value), 8); }

void Packer::text(std::string_view value) {
  const std::uint64_t size = checked_size(value.size(), "a text");
  if (size < 32) {
    out_->push_back(static_cast<char>(0xa0 | size));
  } else if (size <= 0xff) {
    header(0xd9, size, 1);
  } else if (size <= 0xffff) {
    header(0xda, size, 2);
  } else {
    header(0xdb, size, 4);
  }
  detail::append_much(*out_, value);
}

void Packer::binary(BytesView value) {
  const std::uint64_t size = checked_size(value.size(), "binary data");
  if (size <= 0xff) {
    header(0xc4, size, 1);
  } else if (size <= 0xffff) {
    header(0xc5, size, 2);
  } else {
    header(0xc6, size, 4);
  }
  detail::append_much(*out_, value);
}

void Packer::array(std::size_t count) {
  const std::uint64_t size = checked_size(count, "an array");
  if (size < 16) {
    out_->push_back(static_cast<char>(0x90 | size));
  } else if (size <= 0xffff) {
    header(0xdc, size, 2);
  } else {
    header(0xdd, size, 4);
  }
}

void Packer::map(std::size_t count) {
  const std::uint64_t size = checked_size(count, "a map");
  if (size < 16) {
    out_->push_back(static_cast<char>(0x80 | size));
  } else if (size <= 0xffff) {
    header(0xde, size, 2);
  } else {
    header(0xdf, size, 4);
  }
}

Packer::Nesting::Nesting(Packer& packer) : packer_(packer) {
  if (packer_.depth_ == pack_depth_max) {
    throw std::length_error("a value nested deeper than " + std::to_string(pack_depth_max) +
                            " levels cannot be packed");
  }
  ++packer_.depth_;
}

}  // namespace coterie
