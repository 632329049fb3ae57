#include "registry/record_codec.hpp"

namespace coterie {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::uint64_t lease_format_version = 2;

}  // namespace

RecordWriter& RecordWriter::number(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_ += static_cast<char>((value & 0x7F) | 0x80);
    value >>= 7;
  }
  bytes_ += static_cast<char>(value);
  return *this;
}

RecordWriter& RecordWriter::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
  return *this;
}

std::uint64_t RecordReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; ok_ && shift < 64; shift += 7) {
    if (bytes_.empty()) break;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::string RecordReader::text() {
  const std::uint64_t size = number();
  if (!ok_ || size > bytes_.size()) {
    ok_ = false;
    return {};
  }
  std::string value(bytes_.substr(0, size));
  bytes_.remove_prefix(size);
  return value;
}

std::uint64_t RecordReader::count() {
  const std::uint64_t elements = number();
  if (elements <= bytes_.size()) return elements;
  ok_ = false;
  return 0;
}

void write_member(RecordWriter& out, const Member& member) {
  out.text(member.name)
      .number(member.incarnation.counter)
      .number(static_cast<std::uint64_t>(member.incarnation.id))
      .text(member.address)
      .text(member.client_address)
      .number(member.weight)
      .number(member.draining ? 1 : 0)
      .number(member.since)
      .number(member.kinds.size());
  for (const auto& kind : member.kinds) out.text(kind);
}

Member read_member(RecordReader& in) {
  Member member;
  member.name = in.text();
  member.incarnation.counter = in.number();
  member.incarnation.id = NodeId{in.number()};
  member.address = in.text();
  member.client_address = in.text();
  member.weight = static_cast<std::uint32_t>(in.number());
  member.draining = in.number() != 0;
  member.since = in.number();
  for (std::uint64_t kinds = in.count(); kinds > 0 && in.ok(); --kinds) {
    member.kinds.push_back(in.text());
  }
  return member;
}

void write_heard(RecordWriter& out, const std::optional<HeardReport>& heard) {
  out.number(heard ? 1 : 0);
  if (!heard) return;
  out.number(heard->view).number(heard->missing.size());
  for (const auto& name : heard->missing) out.text(name);
}

std::optional<HeardReport> read_heard(RecordReader& in) {
  if (in.number() == 0) return std::nullopt;
  HeardReport heard{.view = in.number(), .missing = {}};
  for (std::uint64_t left = in.count(); left > 0 && in.ok(); --left) {
    heard.missing.insert(in.text());
  }
  return heard;
}

Bytes encode_view(const View& view) {
  RecordWriter out;
  out.number(format_version).number(view.number).text(view.config_digest);
  out.number(view.members.size());
  for (const auto& [name, member] : view.members) write_member(out, member);
  out.number(view.tombstones.size());
  for (const auto& [name, counter] : view.tombstones) out.text(name).number(counter);
  return out.take();
}

std::optional<View> decode_view(BytesView bytes) {
  RecordReader in(bytes);
  if (in.number() != format_version) return std::nullopt;
  View view;
  view.number = in.number();
  view.config_digest = in.text();
  for (std::uint64_t left = in.count(); left > 0 && in.ok(); --left) {
    Member member = read_member(in);
    view.members.emplace(member.name, std::move(member));
  }
  for (std::uint64_t left = in.count(); left > 0 && in.ok(); --left) {
    std::string name = in.text();
    view.tombstones[std::move(name)] = in.number();
  }
  if (!in.ok()) return std::nullopt;
  return view;
}

Bytes encode_lease(const LeaseRow& row) {
  RecordWriter out;
  out.number(lease_format_version)
      .number(row.incarnation.counter)
      .number(static_cast<std::uint64_t>(row.incarnation.id));
  write_heard(out, row.heard);
  return out.take();
}

std::optional<LeaseRow> decode_lease(BytesView bytes) {
  RecordReader in(bytes);
  if (in.number() != lease_format_version) return std::nullopt;
  LeaseRow row;
  row.incarnation.counter = in.number();
  row.incarnation.id = NodeId{in.number()};
  row.heard = read_heard(in);
  if (!in.ok()) return std::nullopt;
  return row;
}

Bytes encode_join(const JoinRequest& request) {
  RecordWriter out;
  out.number(format_version).text(request.config_digest);
  out.number(request.predecessor_dead ? 1 : 0);
  write_member(out, request.member);
  return out.take();
}

std::optional<JoinRequest> decode_join(BytesView bytes) {
  RecordReader in(bytes);
  if (in.number() != format_version) return std::nullopt;
  JoinRequest request;
  request.config_digest = in.text();
  request.predecessor_dead = in.number() != 0;
  request.member = read_member(in);
  if (!in.ok()) return std::nullopt;
  return request;
}

Bytes encode_name(const NameRow& row) {
  RecordWriter out;
  out.number(format_version)
      .text(row.node)
      .number(row.incarnation.counter)
      .number(static_cast<std::uint64_t>(row.incarnation.id))
      .number(row.serial)
      .number(row.registration)
      .number(row.confirmed ? 1 : 0)
      .number(row.epoch.view)
      .number(row.confirmed ? row.epoch.counter : 0);
  return out.take();
}

std::optional<NameRow> decode_name(BytesView bytes, std::uint64_t version) {
  RecordReader in(bytes);
  if (in.number() != format_version) return std::nullopt;
  NameRow row;
  row.node = in.text();
  row.incarnation.counter = in.number();
  row.incarnation.id = NodeId{in.number()};
  row.serial = in.number();
  row.registration = in.number();
  row.confirmed = in.number() != 0;
  row.epoch.view = in.number();
  row.epoch.counter = in.number();
  if (!row.confirmed) row.epoch.counter = version;
  if (!in.ok()) return std::nullopt;
  return row;
}

}  // namespace coterie
