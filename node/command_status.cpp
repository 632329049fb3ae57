#include "node/command_status.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/security.hpp"
#include "node/status_question.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

struct StatusOptions {
  ConfigOptions config;
  bool json = false;
  double watch = 0;  // seconds; 0: once
};

constexpr Duration answers_within = std::chrono::seconds(2);
// Cursor to the upper left corner, clear what is below.
constexpr std::string_view clear_screen = "\x1b[H\x1b[J";

int run(const Invocation& invocation, const StatusOptions& options) {
  const auto config = read_config(options.config);
  if (!config) return complain("", config.error(), exit_code::usage);
  auto keys = client_keys(*config);
  if (!keys) return complain(invocation.program.name + " status", keys.error(), exit_code::usage);
  StatusQuestion question(*config, answers_within, std::move(*keys));
  for (;;) {
    const ClusterView view = judge_cluster(config->cluster.id, question.ask());
    std::string text = options.json ? to_json(view) + '\n' : status_table(view, question.wall());
    if (options.watch > 0 && !options.json && prints_to_terminal()) {
      text.insert(0, clear_screen);
    }
    if (!print(text)) return exit_code::failure;
    if (options.watch <= 0) return view.healthy ? exit_code::ok : exit_code::failure;
    question.pause(
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.watch)));
  }
}

}  // namespace

Command status_command() {
  return {"status", "Shows the nodes of a running cluster, their states and what runs on them",
          "Example:\n"
          "  coterie status --config cluster-configs/local-3.toml --watch 1\n"
          "Exit codes: 0 every node of the file is active in one view; 1 not so, and the lines\n"
          "that begin with ! say what is wrong; 2 wrong arguments or cluster file",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<StatusOptions>();
            add_config_options(app, options->config);
            app.add_flag("--json", options->json, "For programs: one JSON object a line");
            app.add_option("--watch", options->watch, "Asks again and again, until interrupted")
                ->check(CLI::Range(0.1, 86'400.0).description(""))
                ->type_name("SECONDS");
            return [options, &invocation] { return run(invocation, *options); };
          }};
}

}  // namespace coterie
