#include "node/config.hpp"
#include "node/config_keys.hpp"
#include "node/config_value.hpp"
#include "process/duration_text.hpp"

namespace coterie {
namespace {

/// For the digest: nodes that would place an application differently are told apart.
std::string shown(const DistributedSection& section) {
  std::string text = "distributed." + section.name + '=';
  const auto groups = config_value::groups(section.nodes).value();
  for (const auto& group : groups) {
    for (const std::string& node : group) text += node + ',';
    text += ' ';
  }
  for (const auto& wait : {section.timeout, section.sync}) {
    text += wait ? format_duration(*wait) + ' ' : "- ";
  }
  return text + '\n';
}

}  // namespace

std::string config_digest(const ClusterConfig& config) {
  // FNV-1a: it tells configurations apart that differ by accident, and is nobody's proof.
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto add = [&](std::string_view text) {
    for (const char c : text) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    }
  };
  for (const ConfigKey& key : config_keys()) {
    if (key.everywhere) add(key.path + '=' + key.show(config) + '\n');
  }
  for (const DistributedSection& section : config.distributed) add(shown(section));
  std::string digest;
  for (int shift = 60; shift >= 0; shift -= 4) digest += "0123456789abcdef"[hash >> shift & 15];
  return digest;
}

}  // namespace coterie
