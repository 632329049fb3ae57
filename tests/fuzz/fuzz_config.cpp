// Any text as a cluster file, as a value of --set and as a key file: a configuration, or one line
// that says what is wrong. Input: the text.

#include <cstdint>

#include "node/config_copy.hpp"
#include "node/key_file.hpp"
#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace coterie;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_config(text, "c.toml");
  if (config) {
    fuzz::require(config_digest(*config).size() == 16, "a digest has 16 digits");
    const auto copy = copy_config(text, "c.toml", {});
    fuzz::require(copy.has_value(), "a good file can be copied");
    const auto again = parse_config(*copy, "c.toml");
    fuzz::require(again.has_value(), "a copy is a good file");
    fuzz::require(config_digest(*again) == config_digest(*config), "a copy says the same");
  } else {
    const std::string line = to_string(config.error());
    fuzz::require(!line.empty() && line.find('\n') == line.npos, "an error is one line");
  }
  (void)parse_config_value(text);
  if (const auto keys = parse_key_file(text)) {
    fuzz::require(keys->public_key.size() == 40, "a key has 40 characters");
  }
  return 0;
}
