#include <bit>
#include <limits>

#include <coterie/pack.hpp>

namespace coterie {
namespace {

// What an error quotes of a text that did not fit.
constexpr std::size_t quoted_bytes_max = 40;

std::string range_text(const std::string& min, const std::string& max) {
  return "an integer of " + min + ".." + max;
}

std::uint64_t big_endian(const char* at, std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

}  // namespace

std::string detail::quoted(BytesView bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, quoted_bytes_max)) {
    const bool printable = c >= ' ' && c <= '~' && c != '"';
    text += printable ? c : '?';
  }
  return text + (bytes.size() > quoted_bytes_max ? "\"..." : "\"");
}

std::string to_string(const UnpackError& error) {
  return "byte " + std::to_string(error.offset) + (error.path.empty() ? "" : ", ") + error.path +
         ": expected " + error.expected + ", found " + error.found;
}

Unpacker::Unpacker(BytesView bytes, Limits limits) noexcept
    : begin_(bytes.data()),
      at_(bytes.data()),
      end_(bytes.data() + bytes.size()),
      depth_left_(limits.depth),
      depth_max_(limits.depth),
      elements_left_(limits.elements),
      known_fields_(limits.known_fields) {}

// https://github.com/msgpack/msgpack/blob/master/spec.md#formats
Unpacker::Head Unpacker::head() const noexcept {
  if (at_ == end_) return {};
  const auto tag = static_cast<unsigned char>(*at_);
  if (tag < 0x80) return {Type::integer, 1, false, tag};
  if (tag < 0x90) return {Type::map, 1, false, tag & 0x0fu};
  if (tag < 0xa0) return {Type::array, 1, false, tag & 0x0fu};
  if (tag < 0xc0) return {Type::text, 1, false, tag & 0x1fu};
  if (tag >= 0xe0) {
    return {Type::integer, 1, false, static_cast<std::uint64_t>(static_cast<std::int8_t>(tag))};
  }
  const auto with = [&](Type type, std::size_t bytes) -> Head {
    if (left() < 1 + bytes) return {};
    return {type, static_cast<std::uint8_t>(1 + bytes), false, big_endian(at_ + 1, bytes)};
  };
  const auto with_sign = [&](std::size_t bytes) -> Head {
    Head head = with(Type::integer, bytes);
    const auto shift = 64 - 8 * bytes;
    head.bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(head.bits << shift) >> shift);
    return head;
  };
  switch (tag) {
    case 0xc0:
      return {Type::nil, 1, false, 0};
    case 0xc2:
    case 0xc3:
      return {Type::boolean, 1, false, tag & 1u};
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return with(Type::binary, std::size_t{1} << (tag - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9: {  // the extension's type is one more byte
      Head head = with(Type::extension, std::size_t{1} << (tag - 0xc7));
      head.bits += 1;
      return head;
    }
    case 0xca: {
      Head head = with(Type::real, 4);
      head.single = true;
      return head;
    }
    case 0xcb:
      return with(Type::real, 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
      return with(Type::integer, std::size_t{1} << (tag - 0xcc));
    case 0xcf: {
      Head head = with(Type::integer, 8);
      if (head.type == Type::integer && head.bits >> 63 != 0) head.type = Type::large;
      return head;
    }
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return with_sign(std::size_t{1} << (tag - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return {Type::extension, 1, false, (std::uint64_t{1} << (tag - 0xd4)) + 1};
    case 0xd9:
    case 0xda:
    case 0xdb:
      return with(Type::text, std::size_t{1} << (tag - 0xd9));
    case 0xdc:
    case 0xdd:
      return with(Type::array, std::size_t{2} << (tag - 0xdc));
    case 0xde:
    case 0xdf:
      return with(Type::map, std::size_t{2} << (tag - 0xde));
    default:
      return {};
  }
}

Unpacker::Type Unpacker::peek() const noexcept { return head().type; }

std::string Unpacker::describe() const {
  const Head at = head();
  switch (at.type) {
    case Type::nil:
      return "nil";
    case Type::boolean:
      return at.bits != 0 ? "true" : "false";
    case Type::integer:
      return std::to_string(static_cast<std::int64_t>(at.bits));
    case Type::large:
      return std::to_string(at.bits);
    case Type::real:
      return "a floating-point number";
    case Type::text:
    case Type::binary: {
      const std::size_t rest = left() - at.size;
      if (at.bits > rest) {
        return std::to_string(at.bits) + " bytes announced, " + std::to_string(rest) + " left";
      }
      if (at.type == Type::binary) return std::to_string(at.bits) + " bytes of binary data";
      return detail::quoted({at_ + at.size, static_cast<std::size_t>(at.bits)});
    }
    case Type::array:
      return "an array of " + std::to_string(at.bits);
    case Type::map:
      return "a map of " + std::to_string(at.bits);
    case Type::extension:
      return "an extension";
    case Type::none:
      break;
  }
  if (at_ == end_) return "the end of the bytes";
  if (static_cast<unsigned char>(*at_) == 0xc1) return "the reserved byte 0xc1";
  return "a value cut off after " + std::to_string(left()) + " bytes";
}

bool Unpacker::fail_at(std::size_t offset, std::string expected, std::string found) {
  error_ = {offset, {}, std::move(expected), std::move(found)};
  return false;
}

bool Unpacker::fail(std::string expected) {
  return fail_at(offset(), std::move(expected), describe());
}

bool Unpacker::inside(std::string_view field) {
  const bool first = error_.path.empty() || error_.path.front() == '[';
  error_.path = std::string(field) + (first ? "" : ".") + error_.path;
  return false;
}

bool Unpacker::inside(std::size_t index) { return inside('[' + std::to_string(index) + ']'); }

bool Unpacker::nil() {
  const Head at = head();
  if (at.type != Type::nil) return fail("nil");
  at_ += at.size;
  return true;
}

bool Unpacker::boolean(bool& value) {
  const Head at = head();
  if (at.type != Type::boolean) return fail("true or false");
  value = at.bits != 0;
  at_ += at.size;
  return true;
}

bool Unpacker::integer(std::int64_t& value, std::int64_t min, std::int64_t max) {
  const Head at = head();
  const auto number = static_cast<std::int64_t>(at.bits);
  if (at.type != Type::integer || number < min || number > max) {
    return fail(range_text(std::to_string(min), std::to_string(max)));
  }
  value = number;
  at_ += at.size;
  return true;
}

bool Unpacker::unsigned_integer(std::uint64_t& value, std::uint64_t max) {
  const Head at = head();
  const bool negative = at.type == Type::integer && static_cast<std::int64_t>(at.bits) < 0;
  if ((at.type != Type::integer && at.type != Type::large) || negative || at.bits > max) {
    return fail(range_text("0", std::to_string(max)));
  }
  value = at.bits;
  at_ += at.size;
  return true;
}

bool Unpacker::real(double& value) {
  const Head at = head();
  if (at.type == Type::real) {
    value = at.single
                ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(at.bits)))
                : std::bit_cast<double>(at.bits);
  } else if (at.type == Type::integer || at.type == Type::large) {
    // Other encoders write whole numbers as integers; those that a double holds are welcome.
    const bool negative = at.type == Type::integer && static_cast<std::int64_t>(at.bits) < 0;
    const std::uint64_t magnitude = negative ? 0 - at.bits : at.bits;
    const int significant =
        static_cast<int>(std::bit_width(magnitude)) - std::countr_zero(magnitude | 1ull << 63);
    if (significant > std::numeric_limits<double>::digits) return fail("a number exact as double");
    value = static_cast<double>(magnitude);
    if (negative) value = -value;
  } else {
    return fail("a number");
  }
  at_ += at.size;
  return true;
}

bool Unpacker::bytes(BytesView& value) {
  const Head at = head();
  if ((at.type != Type::text && at.type != Type::binary) || at.bits > left() - at.size) {
    return fail("a string");
  }
  value = {at_ + at.size, static_cast<std::size_t>(at.bits)};
  at_ += at.size + at.bits;
  return true;
}

bool Unpacker::enter(Head at, std::size_t values_each, std::size_t& count) {
  const std::uint64_t values = at.bits * values_each;  // bits < 2^32
  const std::size_t rest = left() - at.size;
  if (values > rest) {
    return fail_at(offset(), std::to_string(values) + " values, as announced",
                   std::to_string(rest) + " bytes left");
  }
  if (depth_left_ == 0) {
    return fail("nesting of at most " + std::to_string(depth_max_) + " levels");
  }
  if (values > elements_left_) return fail("no more elements than the limit");
  --depth_left_;
  elements_left_ -= values;
  count = static_cast<std::size_t>(at.bits);
  at_ += at.size;
  return true;
}

bool Unpacker::array(std::size_t& count) {
  const Head at = head();
  return at.type == Type::array ? enter(at, 1, count) : fail("an array");
}

bool Unpacker::map(std::size_t& count) {
  const Head at = head();
  return at.type == Type::map ? enter(at, 2, count) : fail("a map");
}

// Recursion is bounded by the depth that enter() grants.
bool Unpacker::skip(BytesView* value) {
  const char* const start = at_;
  const Head at = head();
  switch (at.type) {
    case Type::nil:
    case Type::boolean:
    case Type::integer:
    case Type::large:
    case Type::real:
      at_ += at.size;
      break;
    case Type::text:
    case Type::binary:
    case Type::extension:
      if (at.bits > left() - at.size) return fail("a whole value");
      at_ += at.size + at.bits;
      break;
    case Type::array:
    case Type::map: {
      const std::size_t each = at.type == Type::map ? 2 : 1;
      std::size_t count = 0;
      if (!enter(at, each, count)) return false;
      for (std::size_t i = 0; i < count * each; ++i) {
        if (!skip()) return inside(i / each);
      }
      leave();
      break;
    }
    case Type::none:
      return fail("a value");
  }
  if (value != nullptr) *value = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

bool Unpacker::skip_field(std::size_t offset, BytesView name,
                          std::span<const std::string_view> names) {
  if (!known_fields_) return skip();
  std::string expected = names.empty() ? "no fields" : "one of the fields";
  for (std::size_t i = 0; i < names.size(); ++i) {
    expected.append(i == 0 ? " " : ", ").append(names[i]);
  }
  return fail_at(offset, std::move(expected), detail::quoted(name));
}

bool Unpacker::finish() {
  return at_ == end_ ||
         fail_at(offset(), "the end of the bytes", std::to_string(left()) + " bytes more");
}

}  // namespace coterie
