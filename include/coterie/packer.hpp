#pragma once
// MessagePack, byte by byte: Packer writes values into a string, Unpacker reads them with bounds.
// Values of one thread. What is read may come from anybody: no header is believed before the bytes
// that it announces are there, so nothing is allocated for what was not sent. docs/packing.md has
// the rules; pack.hpp maps C++ types onto these calls.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <coterie/bytes.hpp>

namespace coterie {

/// How aggregates are written. Both are read everywhere.
enum class Form : std::uint8_t {
  positional,  // an array of the fields: between nodes
  named,       // a map from field name to field: for clients and JSON; enumerators by name
};

/// Nesting of a value that can be packed or unpacked, unless the limits say less.
inline constexpr std::uint32_t pack_depth_max = 64;

/// Appends to a string that outlives it. Throws std::length_error for what MessagePack cannot say
/// (4 GiB of text, 2^32 elements) and for nesting deeper than pack_depth_max.
class Packer {
 public:
  explicit Packer(Bytes& out, Form form = Form::positional) noexcept : out_(&out), form_(form) {}

  Form form() const noexcept { return form_; }

  void nil();
  void boolean(bool value);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void real(float value);
  void real(double value);
  void text(std::string_view value);
  void binary(BytesView value);
  /// A header: exactly `count` values (map: keys and values in turn) must follow.
  void array(std::size_t count);
  void map(std::size_t count);
  /// One value that is packed already.
  void packed(BytesView value) { out_->append(value); }

  /// Marks one level of nesting while it lives.
  class Nesting {
   public:
    explicit Nesting(Packer& packer);
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --packer_.depth_; }

   private:
    Packer& packer_;
  };

 private:
  void header(std::uint8_t tag, std::uint64_t value, int bytes);

  Bytes* out_;
  Form form_;
  std::uint32_t depth_ = 0;
};

struct Limits {
  std::uint32_t depth = pack_depth_max;  // nested arrays and maps
  std::uint64_t elements = 1'048'576;  // of all arrays and maps together; a map's entry counts two
  bool known_fields = false;  // a field name that its type does not have is an error, not skipped
};

struct UnpackError {
  std::size_t offset = 0;  // of the value that did not fit, in bytes
  std::string path;        // its place: "transfer.items[3].amount"; empty: the whole value
  std::string expected;
  std::string found;
  friend bool operator==(const UnpackError&, const UnpackError&) = default;
};

/// "byte 17, transfer.items[3].amount: expected an integer of 0..255, found 300".
std::string to_string(const UnpackError& error);

/// A cursor over bytes that outlive it. A read that returns false has recorded the error, and the
/// cursor must not be used further.
class Unpacker {
 public:
  enum class Type : std::uint8_t {
    nil,
    boolean,
    integer,  // fits std::int64_t
    large,    // an integer above the range of std::int64_t
    real,
    text,
    binary,
    array,
    map,
    extension,
    none,  // the bytes end here, or inside the value's header, or are no MessagePack
  };

  explicit Unpacker(BytesView bytes, Limits limits = {}) noexcept;

  /// Of the value at the cursor.
  Type peek() const noexcept;
  std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  bool nil();
  bool boolean(bool& value);
  bool integer(std::int64_t& value, std::int64_t min, std::int64_t max);
  bool unsigned_integer(std::uint64_t& value, std::uint64_t max);
  /// Integers too, if they are exact as double.
  bool real(double& value);
  /// Text or binary. The view is into the bytes read.
  bool bytes(BytesView& value);
  /// Enter a container; leave() once its `count` values (map: pairs) are read.
  bool array(std::size_t& count);
  bool map(std::size_t& count);
  void leave() noexcept { ++depth_left_; }
  /// One whole value of any kind, checked; `value` (may be null) becomes its bytes.
  bool skip(BytesView* value = nullptr);
  /// The value of a field that the type does not have: skips it, or records at `offset` that its
  /// name should be one of `names`, as the limits say.
  bool skip_field(std::size_t offset, BytesView name, std::span<const std::string_view> names);
  /// Nothing may follow.
  bool finish();

  /// Records that something else was expected at the cursor (or at `offset`); returns false.
  bool fail(std::string expected);
  bool fail_at(std::size_t offset, std::string expected, std::string found);
  /// Called on the way out after a failure: its place within the containing value. Return false.
  bool inside(std::string_view field);
  bool inside(std::size_t index);

  const UnpackError& error() const noexcept { return error_; }

 private:
  struct Head {
    Type type = Type::none;
    std::uint8_t size = 0;   // of the header, with the value of scalars
    bool single = false;     // real: 4 bytes
    std::uint64_t bits = 0;  // value, or length, or count
  };
  Head head() const noexcept;
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  std::string describe() const;
  bool enter(Head head, std::size_t values_each, std::size_t& count);

  const char* begin_;
  const char* at_;
  const char* end_;
  std::uint32_t depth_left_;
  std::uint32_t depth_max_;
  std::uint64_t elements_left_;
  bool known_fields_;
  UnpackError error_;
};

}  // namespace coterie
