#include <algorithm>
#include <filesystem>
#include <map>

#include <toml++/toml.h>

#include <coterie/nearest_word.hpp>

#include "node/config_check.hpp"
#include "node/config_keys.hpp"
#include "node/config_value.hpp"

namespace coterie {
namespace {

// A TOML value that no key takes: dates, tables, mixed lists.
std::expected<ConfigValue, std::string> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return ConfigValue(text->get());
  if (const auto* number = node.as_integer()) return ConfigValue(number->get());
  if (const auto* flag = node.as_boolean()) return ConfigValue(flag->get());
  if (const auto* real = node.as_floating_point()) return ConfigValue(real->get());
  if (const auto* list = node.as_array()) {
    std::vector<std::string> texts;
    for (const toml::node& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr) return std::unexpected("a list of other values than texts");
      texts.push_back(text->get());
    }
    return ConfigValue(std::move(texts));
  }
  return std::unexpected(node.is_table() ? "a table" : "a date or time");
}

class Parser {
 public:
  explicit Parser(const std::string& file) { config_.file = file; }

  void read(const toml::table& root) {
    places_[""] = {config_.file, 0, 0};
    for (const auto& [key, node] : root) {
      if (key.str() == "node") {
        read_list("node", node, config_.nodes, node_keys());
      } else if (key.str() == "client") {
        read_list("client", node, config_.clients, client_keys());
      } else if (key.str() == "distributed") {
        read_list("distributed", node, config_.distributed, distributed_keys());
      } else if (key.str() == "applications") {
        read_applications(node);
      } else {
        read_section(std::string(key.str()), key, node);
      }
    }
  }

  void apply(const ConfigOverride& change) {
    const std::string& key = change.key;
    if (const ConfigKey* known = find(key)) {
      places_[key] = change.place;
      report(change.place, key, known->set(config_, change.value));
      return;
    }
    constexpr std::string_view applications = "applications.";
    if (const std::size_t name = key.find('.', applications.size());
        key.starts_with(applications) && name != key.npos && name + 1 < key.size()) {
      const std::string application = key.substr(applications.size(), name - applications.size());
      auto& section = config_.applications[application];
      if (section.env.empty()) section.place = change.place;
      section.env[key.substr(name + 1)] = change.value;
      return;
    }
    if (apply_to("node", change, config_.nodes, node_keys())) return;
    if (apply_to("client", change, config_.clients, client_keys())) return;
    if (apply_to("distributed", change, config_.distributed, distributed_keys())) return;
    fail(change.place, unknown(key));
  }

  std::expected<ClusterConfig, ConfigError> finish() {
    if (errors_.empty()) {
      fill_in();
      const auto place = [this](const std::string& path) { return place_of(path); };
      if (auto error = check_config(config_, place)) errors_.push_back(std::move(*error));
    }
    if (errors_.empty()) return std::move(config_);
    // TOML tables are sorted by key; people read files from the top.
    return std::unexpected(*std::ranges::min_element(
        errors_, [this](const auto& a, const auto& b) { return order(a.place) < order(b.place); }));
  }

 private:
  std::tuple<bool, std::uint32_t, std::uint32_t> order(const ConfigPlace& place) const {
    return {place.file != config_.file, place.line, place.column};
  }

  static const ConfigKey* find(const std::string& path) {
    for (const ConfigKey& key : config_keys()) {
      if (key.path == path) return &key;
    }
    return nullptr;
  }
  static bool is_section(const std::string& path) {
    return std::ranges::any_of(
        config_keys(), [&](const ConfigKey& key) { return key.path.starts_with(path + '.'); });
  }

  static std::string unknown(const std::string& path) {
    std::vector<std::string_view> sections = {"node", "client", "distributed", "applications"};
    std::vector<std::string_view> known = sections;
    for (const ConfigKey& key : config_keys()) known.push_back(key.path);
    const std::string_view near = nearest_word(path, known);
    if (!near.empty()) return "unknown key \"" + path + '"' + suggest(path, known);
    // Far from everything: the keys of its section say more than all of them.
    const std::string section = path.substr(0, path.find('.'));
    std::vector<std::string_view> beside;
    for (const ConfigKey& key : config_keys()) {
      if (key.path.starts_with(section + '.')) beside.push_back(key.path);
    }
    if (!beside.empty()) return "unknown key \"" + path + '"' + suggest(path, beside);
    for (const std::string_view key : std::span(known).subspan(sections.size())) {
      const std::string_view name = key.substr(0, key.find('.'));
      if (std::ranges::find(sections, name) == sections.end()) sections.push_back(name);
    }
    return "unknown key \"" + path + '"' + suggest(section, sections);
  }

  ConfigPlace place(const toml::source_region& source) const {
    return {config_.file, source.begin.line, source.begin.column};
  }
  // Of the key, or of what contains it.
  ConfigPlace place_of(std::string path) const {
    for (;;) {
      if (const auto at = places_.find(path); at != places_.end()) return at->second;
      const std::size_t dot = path.rfind('.');
      path = dot == path.npos ? "" : path.substr(0, dot);
    }
  }

  void fail(ConfigPlace at, std::string message) {
    errors_.push_back({std::move(at), std::move(message)});
  }
  void report(const ConfigPlace& at, const std::string& key, const SetResult& result) {
    if (!result) fail(at, key + ": " + result.error());
  }

  void read_section(const std::string& path, const toml::key& key, const toml::node& node) {
    const ConfigKey* known = find(path);
    if (known == nullptr && !is_section(path)) return fail(place(key.source()), unknown(path));
    places_[path] = place(known == nullptr ? key.source() : node.source());
    if (known == nullptr) {
      const toml::table* section = node.as_table();
      if (section == nullptr) {
        return fail(place(node.source()),
                    path + ": expected a table such as [" + path + "], found another value");
      }
      for (const auto& [name, child] : *section) {
        read_section(path + '.' + std::string(name.str()), name, child);
      }
      return;
    }
    const auto value = value_of(node);
    if (!value) {
      return fail(place(node.source()), path + ": expected a value, found " + value.error());
    }
    report(place(node.source()), path, known->set(config_, *value));
  }

  // Their keys are theirs: any name, any value that a key may have.
  void read_applications(const toml::node& node) {
    const toml::table* applications = node.as_table();
    if (applications == nullptr) {
      return fail(place(node.source()),
                  "applications: expected [applications.NAME], found another value");
    }
    for (const auto& [name, child] : *applications) {
      const toml::table* env = child.as_table();
      const std::string path = "applications." + std::string(name.str());
      if (env == nullptr) {
        fail(place(child.source()),
             path + ": expected a table such as [" + path + "], found another value");
        continue;
      }
      ApplicationSection& section = config_.applications[std::string(name.str())];
      section.place = place(name.source());
      read_env(section, path, "", *env);
    }
  }

  void read_env(ApplicationSection& section, const std::string& path, const std::string& prefix,
                const toml::table& table) {
    for (const auto& [name, child] : table) {
      const std::string key = prefix + std::string(name.str());
      if (const toml::table* inner = child.as_table()) {
        read_env(section, path, key + '.', *inner);
      } else if (const auto value = value_of(child)) {
        section.env[key] = *value;
      } else {
        fail(place(child.source()),
             path + '.' + key + ": expected a value, found " + value.error());
      }
    }
  }

  /// [[node]], [[client]] or [[distributed]], `word`: its name.
  template <class Section, class Key>
  void read_list(const std::string& word, const toml::node& list, std::vector<Section>& sections,
                 std::span<const Key> keys) {
    const toml::array* tables = list.as_array();
    if (tables == nullptr ||
        !std::ranges::all_of(*tables, [](const toml::node& node) { return node.is_table(); })) {
      return fail(place(list.source()), word + ": expected [[" + word + "]] before each " + word +
                                            "'s keys, found another value");
    }
    for (const toml::node& table : *tables) {
      const std::size_t index = sections.size();
      sections.emplace_back();
      sections.back().place = place(table.source());
      places_[word + '.' + std::to_string(index)] = place(table.source());
      for (const auto& [key, child] : *table.as_table()) {
        const std::string name(key.str());
        const auto value = value_of(child);
        if (!value) {
          fail(place(child.source()),
               word + '.' + name + ": expected a value, found " + value.error());
          continue;
        }
        set_in(word + '.' + std::to_string(index), name, place(key.source()), place(child.source()),
               sections.back(), keys, *value);
      }
    }
  }

  /// `path` is "node.0".
  template <class Section, class Key>
  void set_in(const std::string& path, const std::string& name, const ConfigPlace& key_place,
              const ConfigPlace& value_place, Section& section, std::span<const Key> keys,
              const ConfigValue& value) {
    const std::string shown = path.substr(0, path.find('.') + 1) + name;
    std::vector<std::string_view> known;
    for (const Key& key : keys) {
      known.push_back(key.name);
      if (key.name != name) continue;
      places_[path + '.' + name] = value_place;
      return report(value_place, shown, key.set(section, value));
    }
    fail(key_place, "unknown key \"" + shown + '"' + suggest(name, known));
  }

  /// "node.a.weight". False: no such key.
  template <class Section, class Key>
  bool apply_to(const std::string& word, const ConfigOverride& change,
                std::vector<Section>& sections, std::span<const Key> keys) {
    const std::string prefix = word + '.';
    const std::size_t dot = change.key.rfind('.');
    if (!change.key.starts_with(prefix) || dot <= prefix.size()) return false;
    const std::string name = change.key.substr(prefix.size(), dot - prefix.size());
    const auto found = std::ranges::find(sections, name, &Section::name);
    if (found == sections.end()) {
      fail(change.place, "expected a " + word + " of the cluster in \"" + change.key +
                             "\", found \"" + name + '"');
      return true;
    }
    set_in(prefix + std::to_string(found - sections.begin()), change.key.substr(dot + 1),
           change.place, change.place, *found, keys, change.value);
    return true;
  }

  std::string beside_file(const std::string& path) const {
    const std::filesystem::path joined =
        std::filesystem::path(config_.file).parent_path() / path;  // absolute paths stay
    return joined.lexically_normal().string();
  }

  void fill_in() {
    constexpr std::string_view sqlite = "sqlite:";
    std::string& journal = config_.cluster.journal;
    if (journal.starts_with(sqlite)) {
      journal = std::string(sqlite) + beside_file(journal.substr(sqlite.size()));
    }
    if (config_.storage.wait == Duration{}) {
      config_.storage.wait = std::min<Duration>(std::chrono::seconds(1), config_.lease.length / 2);
    }
    // Two nodes have to say who of them decides, and so have none of these.
    std::vector<std::string>& voters = config_.cluster.voters;
    if (config_.cluster.agreement == AgreementEngine::voters && voters.empty() &&
        config_.nodes.size() != 2) {
      const std::size_t odd = (std::min<std::size_t>(config_.nodes.size(), 5) - 1) / 2 * 2 + 1;
      for (std::size_t i = 0; i < std::min(odd, config_.nodes.size()); ++i) {
        voters.push_back(config_.nodes[i].name);
      }
    }
    for (NodeSection& node : config_.nodes) {
      if (node.advertise.empty()) node.advertise = node.listen;
      if (node.client_advertise.empty()) node.client_advertise = node.client_listen;
      if (node.state_dir.empty()) {
        node.state_dir = "coterie-data/" + config_.cluster.id + '/' + node.name;
      }
      node.state_dir = beside_file(node.state_dir);
      if (!node.key_file.empty()) node.key_file = beside_file(node.key_file);
    }
    std::string& client_key = config_.security.client_key_file;
    if (!client_key.empty()) client_key = beside_file(client_key);
  }

  ClusterConfig config_;
  std::map<std::string, ConfigPlace> places_;
  std::vector<ConfigError> errors_;
};

}  // namespace

std::string to_string(const ConfigError& error) {
  const ConfigPlace& at = error.place;
  std::string text = at.file;
  if (at.line != 0) text += ':' + std::to_string(at.line) + ':' + std::to_string(at.column);
  return text + (text.empty() ? "" : ": ") + error.message;
}

const NodeSection* ClusterConfig::find(std::string_view node) const noexcept {
  for (const NodeSection& candidate : nodes) {
    if (candidate.name == node) return &candidate;
  }
  return nullptr;
}

bool ClusterConfig::has_keys() const noexcept {
  return !nodes.empty() && !nodes.front().public_keys.empty();
}

std::expected<ConfigValue, std::string> parse_config_value(std::string_view toml) {
  const auto refuse = [&] {
    return std::unexpected(
        "expected a value such as \"2s\" (in quotes), 7, true or [\"a\"], found " +
        config_value::show(std::string(toml)));
  };
  try {
    const toml::table table = toml::parse("value = " + std::string(toml));
    if (table.size() != 1) return refuse();
    const auto value = value_of(*table.get("value"));
    if (!value) return refuse();
    return *value;
  } catch (const toml::parse_error&) {
    return refuse();
  }
}

std::expected<ClusterConfig, ConfigError> parse_config(std::string_view text,
                                                       const std::string& file,
                                                       std::span<const ConfigOverride> overrides) {
  Parser parser(file);
  try {
    parser.read(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    std::string message(error.description());
    std::ranges::replace(message, '\n', ' ');
    return std::unexpected(ConfigError{{file, at.line, at.column}, std::move(message)});
  }
  for (const ConfigOverride& change : overrides) parser.apply(change);
  return parser.finish();
}

}  // namespace coterie
