#include "registry/voter_file.hpp"

#include <array>
#include <utility>

#include "process/crc32c.hpp"
#include "registry/record_codec.hpp"

namespace coterie {
namespace {

constexpr std::string_view magic = "coterieV";
constexpr std::size_t head_bytes = 16;
constexpr std::uint64_t format_version = 1;

struct Copy {
  enum class Kind : std::uint8_t { good, damaged, newer };
  Kind kind = Kind::damaged;
  std::uint64_t generation = 0;
  std::string cluster_id;
  VoterState state;
};

void put_32(Bytes& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}
std::uint32_t get_32(BytesView bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

Bytes encode(const VoterState& state, std::string_view cluster_id, std::uint64_t generation) {
  const VoterRecord& record = state.record;
  RecordWriter out;
  out.number(format_version).number(generation).text(cluster_id);
  out.number(state.slot_id).number(state.history).number(state.voters.size());
  for (const auto& [name, id] : state.voters) out.text(name).number(id);
  out.number(record.promised.counter).number(record.promised.voter);
  out.number(record.accepted.counter).number(record.accepted.voter);
  out.number(static_cast<std::uint64_t>(record.longest_lease.count()));
  out.text(record.view ? encode_view(*record.view) : Bytes());
  const Bytes payload = out.take();

  Bytes checked;
  put_32(checked, static_cast<std::uint32_t>(payload.size()));
  checked += payload;
  Bytes bytes{magic};
  put_32(bytes, crc32c(checked));
  return bytes + checked;
}

Copy decode(BytesView bytes) {
  Copy copy;
  if (bytes.size() < head_bytes || !bytes.starts_with(magic)) return copy;
  const std::size_t length = get_32(bytes.substr(12));
  if (length > bytes.size() - head_bytes) return copy;
  if (get_32(bytes.substr(8)) != crc32c(bytes.substr(12, 4 + length))) return copy;
  RecordReader in(bytes.substr(head_bytes, length));
  if (in.number() > format_version) {
    copy.kind = Copy::Kind::newer;
    return copy;
  }
  VoterState& state = copy.state;
  VoterRecord& record = state.record;
  copy.generation = in.number();
  copy.cluster_id = in.text();
  state.slot_id = in.number();
  state.history = in.number();
  for (std::uint64_t left = in.count(); left > 0 && in.ok(); --left) {
    std::string name = in.text();
    state.voters[std::move(name)] = in.number();
  }
  record.promised.counter = in.number();
  record.promised.voter = static_cast<VoterIndex>(in.number());
  record.accepted.counter = in.number();
  record.accepted.voter = static_cast<VoterIndex>(in.number());
  record.longest_lease = Duration(static_cast<std::int64_t>(in.number()));
  const std::string view = in.text();
  if (!in.ok()) return copy;
  if (!view.empty()) {
    std::optional<View> decoded = decode_view(view);
    if (!decoded) return copy;
    record.view = std::make_shared<const View>(std::move(*decoded));
  }
  copy.kind = Copy::Kind::good;
  return copy;
}

std::unexpected<StorageError> refused(StorageError::Code code, std::string message) {
  return std::unexpected(StorageError{.code = code, .message = std::move(message)});
}

}  // namespace

StorageResult<VoterFile> VoterFile::open(VoterDisk& disk, std::string cluster_id,
                                         std::uint64_t fresh_id) {
  auto content = disk.read();
  if (!content) return std::unexpected(std::move(content.error()));
  VoterFile file(disk, std::move(cluster_id));
  if (content->empty()) {
    file.created_ = true;
    file.generation_ = 1;
    file.state_.slot_id = fresh_id;
    Bytes copy = encode(file.state_, file.cluster_id_, file.generation_);
    copy.resize(copy_bytes);
    if (auto made = disk.create(copy + copy); !made) return std::unexpected(made.error());
    return file;
  }

  std::array<Copy, 2> copies;
  for (std::size_t i = 0; i < 2; ++i) {
    if (content->size() >= (i + 1) * copy_bytes) {
      copies[i] = decode(BytesView(*content).substr(i * copy_bytes, copy_bytes));
    }
    if (copies[i].kind == Copy::Kind::newer) {
      return refused(StorageError::Code::misuse,
                     "the voter's file was written by a later version of the program: run that "
                     "version");
    }
  }
  const bool first = copies[0].kind == Copy::Kind::good;
  const bool second = copies[1].kind == Copy::Kind::good;
  if (!first && !second) {
    return refused(StorageError::Code::corrupt,
                   "both copies in the voter's file are damaged (" +
                       std::to_string(content->size()) +
                       " bytes): this node does not vote, since it may have forgotten a vote; "
                       "restore nothing older in its place");
  }
  const bool take_second = !first || (second && copies[1].generation > copies[0].generation);
  Copy& newest = copies[take_second ? 1 : 0];
  if (newest.cluster_id != file.cluster_id_) {
    return refused(StorageError::Code::misuse, "the voter's file is of the cluster \"" +
                                                   newest.cluster_id + "\", this one is \"" +
                                                   file.cluster_id_ + "\"");
  }
  file.state_ = std::move(newest.state);
  file.generation_ = newest.generation;
  if (!first || !second || copies[0].generation != copies[1].generation) {
    // What is voted for next must not rest on one copy.
    if (!first || !second) file.remark_ = "a damaged copy in the voter's file was mended";
    const Bytes bytes = encode(file.state_, file.cluster_id_, file.generation_);
    if (auto mended = file.write_copy(take_second ? 0 : 1, bytes); !mended) {
      return std::unexpected(std::move(mended.error()));
    }
  }
  return file;
}

StorageResult<void> VoterFile::save(const VoterState& state) {
  if (!failure_.empty()) return refused(StorageError::Code::unavailable, failure_);
  const Bytes bytes = encode(state, cluster_id_, generation_ + 1);
  if (bytes.size() > copy_bytes) {
    return refused(StorageError::Code::misuse,
                   "a view of " + std::to_string(bytes.size()) + " bytes does not fit into the " +
                       std::to_string(copy_bytes) + " bytes of the voter's file");
  }
  for (std::size_t copy = 0; copy < 2; ++copy) {
    if (auto written = write_copy(copy, bytes); !written) {
      failure_ = "the voter's file failed before, so what it holds is not known: " +
                 written.error().message;
      return written;
    }
  }
  ++generation_;
  state_ = state;
  return {};
}

// The other copy is whole and synced while this one is written.
StorageResult<void> VoterFile::write_copy(std::size_t copy, const Bytes& bytes) {
  if (auto written = disk_->write(copy * copy_bytes, bytes); !written) return written;
  return disk_->sync();
}

}  // namespace coterie
