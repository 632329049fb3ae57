#pragma once
// How the values of registry's records are written into storage: the view, the lease rows, the
// requests to join and the name rows. Each value starts with one byte, its format version, so that
// a newer program can tell an older one's records; integers are LEB128 varints, texts a varint
// length and the bytes. Decoding is bounded by the bytes present and answers nullopt on anything
// that does not fit. Plain functions, any thread.

#include <cstdint>
#include <optional>
#include <string>

#include <coterie/bytes.hpp>

#include "process/ports/agreement.hpp"
#include "registry/connectivity.hpp"

namespace coterie {

/// Appends to a growing value.
class RecordWriter final {
 public:
  RecordWriter& number(std::uint64_t value);
  RecordWriter& text(std::string_view value);
  std::size_t size() const noexcept { return bytes_.size(); }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// Reads what RecordWriter wrote. After the first misfit every read answers 0 or "" and ok() is
/// false.
class RecordReader final {
 public:
  explicit RecordReader(BytesView bytes) : bytes_(bytes) {}
  std::uint64_t number();
  std::string text();
  /// A count of elements, each of at least one byte: never more than the bytes left.
  std::uint64_t count();
  bool ok() const noexcept { return ok_; }
  /// There are bytes left, and nothing was wrong with those before.
  bool more() const noexcept { return ok_ && !bytes_.empty(); }

 private:
  BytesView bytes_;
  bool ok_ = true;
};

/// One incarnation's lease. Its counter is the record's version, which the store raises with each
/// committed write; the value carries what the other members want to know of the holder.
struct LeaseRow {
  Incarnation incarnation;
  std::optional<HeardReport> heard;  // none: connectivity is not judged by this row
  friend bool operator==(const LeaseRow&, const LeaseRow&) = default;
};

/// An incarnation that asks whoever writes the next view to take it in.
struct JoinRequest {
  Member member;  // `since` is filled in by who takes it in
  std::string config_digest;
  bool predecessor_dead = false;  // no earlier run of this node lives, as it knows by its lock
  friend bool operator==(const JoinRequest&, const JoinRequest&) = default;
};

/// One strict name: who has it, by which registration.
struct NameRow {
  std::string node;
  Incarnation incarnation;
  std::uint64_t serial = 0;        // of the process
  std::uint64_t registration = 0;  // id, unique within the incarnation
  bool confirmed = false;          // else reserved: its init may still run
  Epoch epoch;                     // reserved: the counter is the record's version, not stored
  friend bool operator==(const NameRow&, const NameRow&) = default;
};

void write_member(RecordWriter& out, const Member& member);
Member read_member(RecordReader& in);
void write_heard(RecordWriter& out, const std::optional<HeardReport>& heard);
std::optional<HeardReport> read_heard(RecordReader& in);
Bytes encode_view(const View& view);
std::optional<View> decode_view(BytesView bytes);
Bytes encode_lease(const LeaseRow& row);
std::optional<LeaseRow> decode_lease(BytesView bytes);
Bytes encode_join(const JoinRequest& request);
std::optional<JoinRequest> decode_join(BytesView bytes);
Bytes encode_name(const NameRow& row);
/// `version`: of the record; fills in the epoch's counter of a reserved row.
std::optional<NameRow> decode_name(BytesView bytes, std::uint64_t version);

}  // namespace coterie
