#include "node/command_keygen.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "node/exit_codes.hpp"
#include "node/key_file.hpp"

namespace coterie {
namespace {

struct KeygenOptions {
  std::string file;
  bool show = false;
};

int run(const std::string& who, const KeygenOptions& options) {
  if (!curve_available()) {
    return complain(who,
                    "this libzmq is built without CURVE: install one with it (Debian's libzmq5 "
                    "has)",
                    exit_code::failure);
  }
  const auto keys = options.show ? read_key_file(options.file) : make_key_file(options.file);
  if (!keys) return complain(who, keys.error(), exit_code::failure);
  return print(keys->public_key + '\n') ? exit_code::ok : exit_code::failure;
}

}  // namespace

Command keygen_command() {
  return {
      "keygen", "Makes a private key for a node or a client and prints its public key",
      "Examples:\n"
      "  coterie keygen keys/a.key\n"
      "  coterie keygen --show keys/a.key\n"
      "The public key goes into public_keys of the node or the client in the cluster file, in\n"
      "quotes; the file stays where the node or the client runs (docs/security.md).\n"
      "Exit codes: 0 done; 1 the file exists already, or cannot be written; 2 wrong arguments",
      [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
        auto options = std::make_shared<KeygenOptions>();
        app.add_option("FILE", options->file, "Where the private key is to be, or is")->required();
        app.add_flag("--show", options->show, "Only print the public key of that file");
        return
            [options, &invocation] { return run(invocation.program.name + " keygen", *options); };
      }};
}

}  // namespace coterie
