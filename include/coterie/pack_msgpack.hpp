#pragma once
// For classes that are no aggregates and say MSGPACK_DEFINE(...): include this beside pack.hpp in
// every file that packs them. It brings msgpack.hpp (a second per file) and changes nothing for
// other types. Bytes are checked against the Unpacker's limits before msgpack-c sees them.

#include <msgpack.hpp>

#include <coterie/pack.hpp>

namespace coterie {
namespace detail {

class BytesWriter {  // msgpack-c's notion of a stream
 public:
  explicit BytesWriter(Bytes& bytes) : bytes_(bytes) {}
  void write(const char* data, std::size_t size) { bytes_.append(data, size); }

 private:
  Bytes& bytes_;
};

template <class T>
concept MsgpackDefined = std::is_class_v<T> && !std::is_aggregate_v<T> &&
                         requires(const T& from, T& to, msgpack::packer<BytesWriter>& packer,
                                  const msgpack::object& object) {
  from.msgpack_pack(packer);
  to.msgpack_unpack(object);
};

}  // namespace detail

template <detail::MsgpackDefined T>
struct Packing<T> {
  static void pack(Packer& packer, const T& value) {
    Bytes bytes;
    detail::BytesWriter writer(bytes);
    msgpack::packer<detail::BytesWriter> other(writer);
    value.msgpack_pack(other);
    packer.packed(bytes);
  }

  static bool unpack(Unpacker& unpacker, T& value) {
    const std::size_t offset = unpacker.offset();
    BytesView bytes;
    if (!unpacker.skip(&bytes)) return false;
    try {
      const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size());
      value.msgpack_unpack(handle.get());
      return true;
    } catch (const msgpack::type_error&) {
      return unpacker.fail_at(offset, "the fields of MSGPACK_DEFINE", "another type");
    } catch (const msgpack::unpack_error& error) {
      return unpacker.fail_at(offset, "what msgpack-c can read", error.what());
    }
  }
};

}  // namespace coterie
