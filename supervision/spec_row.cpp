#include "supervision/spec_row.hpp"

namespace coterie::detail {

std::string spec_prefix(std::string_view supervisor) {
  return "spec/" + std::string(supervisor) + "/";
}

std::string spec_key(std::string_view supervisor, std::string_view key) {
  return spec_prefix(supervisor).append(key);
}

Bytes pack_row(const SpecRow& row) { return pack(row); }

std::expected<SpecRow, std::string> unpack_row(BytesView bytes) {
  auto row = unpack<SpecRow>(bytes);
  if (!row) return std::unexpected(to_string(row.error()));
  return std::move(*row);
}

}  // namespace coterie::detail
