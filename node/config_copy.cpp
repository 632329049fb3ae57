#include "node/config_copy.hpp"

#include <filesystem>
#include <sstream>

#include <toml++/toml.h>

namespace coterie {
namespace {

void put(toml::table& table, std::string_view key, const ConfigValue& value) {
  std::visit(
      [&](const auto& held) {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::vector<std::string>>) {
          toml::array list;
          for (const std::string& text : held) list.push_back(text);
          table.insert_or_assign(key, std::move(list));
        } else {
          table.insert_or_assign(key, held);
        }
      },
      value);
}

/// `path` is "section.key" or "section.deeper.key".
void put_at(toml::table& root, std::string_view path, const ConfigValue& value) {
  toml::table* table = &root;
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.')) {
    const std::string_view name = path.substr(0, dot);
    toml::table* inner = (*table)[name].as_table();
    if (inner == nullptr) inner = table->insert(name, toml::table()).first->second.as_table();
    table = inner;
    path.remove_prefix(dot + 1);
  }
  put(*table, path, value);
}

/// Of the [[node]]s, [[client]]s or [[distributed]]s, the one with that name.
toml::table* named_table(toml::table& root, std::string_view list, std::string_view name) {
  toml::array* nodes = root[list].as_array();
  for (std::size_t i = 0; nodes != nullptr && i < nodes->size(); ++i) {
    toml::table* node = nodes->get(i)->as_table();
    if (node != nullptr && (*node)["name"].value<std::string_view>() == name) return node;
  }
  return nullptr;
}

std::string absolute(std::string_view path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

std::expected<std::string, ConfigError> copy_config(std::string_view text, const std::string& file,
                                                    std::span<const ConfigOverride> overrides) {
  // Everything that can be wrong is found here, with its place.
  const auto config = parse_config(text, file, overrides);
  if (!config) return std::unexpected(config.error());
  toml::table root = toml::parse(text, file);
  for (const ConfigOverride& change : overrides) {
    const std::string_view key = change.key;
    const std::size_t first = key.find('.');
    const std::size_t last = key.rfind('.');
    const std::string_view list = key.substr(0, first);
    if (list != "node" && list != "client" && list != "distributed") {
      put_at(root, key, change.value);
      continue;
    }
    put(*named_table(root, list, key.substr(first + 1, last - first - 1)), key.substr(last + 1),
        change.value);
  }
  constexpr std::string_view sqlite = "sqlite:";
  if (config->cluster.journal.starts_with(sqlite)) {
    put_at(root, "cluster.journal",
           std::string(sqlite) + absolute(config->cluster.journal.substr(sqlite.size())));
  }
  for (const NodeSection& node : config->nodes) {
    toml::table& table = *named_table(root, "node", node.name);
    put(table, "state_dir", absolute(node.state_dir));
    if (!node.key_file.empty()) put(table, "key_file", absolute(node.key_file));
  }
  if (const std::string& key = config->security.client_key_file; !key.empty()) {
    put_at(root, "security.client_key_file", absolute(key));
  }
  std::ostringstream out;
  out << root << '\n';
  return out.str();
}

}  // namespace coterie
