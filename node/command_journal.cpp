#include "node/command_journal.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include <coterie/nearest_word.hpp>

#include "journal/open_storage.hpp"
#include "journal/sqlite_file.hpp"
#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/journal_report.hpp"

namespace coterie {
namespace {

namespace fs = std::filesystem;

struct JournalRequest {
  ConfigOptions config;
  std::string what;  // a prefix, or a stream's name
  std::string file;  // export
  bool counts = false;
};

// A tool that only reads must not make a journal where there is none, so it opens the storage in
// the name of a node that has one.
std::expected<std::string, std::string> reader_of(const ClusterConfig& config) {
  constexpr std::string_view sqlite = "sqlite:";
  const std::string& journal = config.cluster.journal;
  if (journal == "memory") {
    return std::unexpected("journal = \"memory\" in " + config.file +
                           ": it is gone with the program, there is nothing to read");
  }
  if (!journal.starts_with(sqlite)) return config.nodes.front().name;
  const fs::path directory = journal.substr(sqlite.size());
  std::error_code error;
  for (const NodeSection& node : config.nodes) {
    if (fs::exists(directory / "names.db", error) &&
        fs::exists(directory / detail::journal_file_name(node.name), error)) {
      return node.name;
    }
  }
  return std::unexpected("there is no journal of this cluster's nodes in " + directory.string());
}

std::expected<StorageSet, std::string> open_for_reading(const ClusterConfig& config) {
  const auto node = reader_of(config);
  if (!node) return std::unexpected(node.error());
  StorageOptions options;
  options.description = config.cluster.journal;
  options.node = *node;
  options.cluster_id = config.cluster.id;
  options.wait = std::chrono::duration_cast<std::chrono::milliseconds>(config.storage.wait);
  auto opened = open_storage(options);
  if (!opened) return std::unexpected(opened.error().message);
  return *std::move(opened);
}

std::string row_of(const StreamCheck& check) {
  return check.stream + "  " + std::to_string(check.events) + " events, " +
         std::to_string(check.snapshots) + " snapshots, " + std::to_string(check.owners) +
         " owners\n";
}

int list(const std::string& who, Streams& streams, const JournalRequest& options) {
  const auto names = streams.list(options.what);
  if (!names) return complain(who, names.error().message, exit_code::failure);
  for (const std::string& name : *names) {
    if (!options.counts) {
      if (!print(name + '\n')) return exit_code::failure;
      continue;
    }
    const StreamCheck check = check_stream(streams, name);
    if (!check.damage.empty()) return complain(who, check.damage, exit_code::failure);
    if (!print(row_of(check))) return exit_code::failure;
  }
  return exit_code::ok;
}

int show(const std::string& who, Streams& streams, const JournalRequest& options) {
  const auto names = streams.list("");
  if (!names) return complain(who, names.error().message, exit_code::failure);
  if (std::ranges::find(*names, options.what) == names->end()) {
    const std::vector<std::string_view> known(names->begin(), names->end());
    return complain(who,
                    "there is no stream \"" + options.what + "\"" +
                        (known.size() <= 1'000 ? suggest(options.what, known) : ""),
                    exit_code::failure);
  }
  const auto events = streams.read(options.what);
  if (!events) return complain(who, events.error().message, exit_code::failure);
  for (const Event& event : *events) {
    if (!print(event_json(options.what, event) + '\n')) return exit_code::failure;
  }
  return exit_code::ok;
}

int verify(const std::string& who, Streams& streams, const JournalRequest& options) {
  const auto names = streams.list(options.what);
  if (!names) return complain(who, names.error().message, exit_code::failure);
  std::size_t events = 0, snapshots = 0, damaged = 0;
  for (const std::string& name : *names) {
    const StreamCheck check = check_stream(streams, name);
    events += check.events;
    snapshots += check.snapshots;
    if (check.damage.empty()) continue;
    ++damaged;
    if (!print("DAMAGED " + name + ": " + check.damage + '\n')) return exit_code::failure;
  }
  const std::string total = std::to_string(names->size()) + " streams, " + std::to_string(events) +
                            " events, " + std::to_string(snapshots) + " snapshots, " +
                            std::to_string(damaged) + " streams damaged\n";
  if (!print(total)) return exit_code::failure;
  return damaged == 0 ? exit_code::ok : exit_code::failure;
}

int export_to(const std::string& who, Streams& streams, const JournalRequest& options) {
  const auto names = streams.list(options.what);
  if (!names) return complain(who, names.error().message, exit_code::failure);
  std::ofstream file;
  if (!options.file.empty()) {
    if (std::error_code error; fs::exists(options.file, error)) {
      return complain(who, options.file + " exists already", exit_code::usage);
    }
    file.open(options.file, std::ios::binary);
    if (!file) return complain(who, options.file + ": cannot be written", exit_code::failure);
  }
  bool written = true;
  const auto exported = export_streams(streams, *names, [&](const std::string& line) {
    written = options.file.empty() ? print(line + '\n') : static_cast<bool>(file << line << '\n');
    return written;
  });
  if (!exported) return complain(who, exported.error().message, exit_code::failure);
  if (written && options.file.empty()) return exit_code::ok;
  if (written && file.flush()) return exit_code::ok;
  return complain(who, options.file + ": cannot be written", exit_code::failure);
}

using Does = int (*)(const std::string&, Streams&, const JournalRequest&);

int run(const std::string& who, const JournalRequest& options, Does does) {
  const auto config = read_config(options.config);
  if (!config) return complain("", config.error(), exit_code::usage);
  auto storage = open_for_reading(*config);
  if (!storage) return complain(who, storage.error(), exit_code::failure);
  return does(who, *storage->streams, options);
}

}  // namespace

Command journal_command() {
  return {"journal", "Lists, shows, checks and exports what the journal remembers",
          "Examples:\n"
          "  coterie journal list --config cluster.toml contracts/\n"
          "  coterie journal show --config cluster.toml contracts/contract-7\n"
          "  coterie journal verify --config cluster.toml\n"
          "  coterie journal export --config cluster.toml --to events.jsonl\n"
          "It only reads, and nodes may run meanwhile (docs/journal.md).\n"
          "Exit codes: 0 done, verify: all is whole; 1 damaged or not readable, and what; 2 wrong\n"
          "arguments or cluster file",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<JournalRequest>();
            auto does = std::make_shared<std::pair<std::string, Does>>();
            app.require_subcommand(1);
            const auto add = [&](const char* word, const char* summary, Does what) {
              CLI::App* own = app.add_subcommand(word, summary);
              add_config_options(*own, options->config);
              own->callback([does, word, what] { *does = {word, what}; });
              return own;
            };
            CLI::App* one = add("list", "The names of the streams", list);
            one->add_option("PREFIX", options->what, "Only those that begin so");
            one->add_flag("--counts", options->counts, "With their events, snapshots and owners");
            one = add("show", "The events of one stream, a JSON object a line", show);
            one->add_option("STREAM", options->what, "Its name")->required();
            one = add("verify", "Checks checksums, sequences, epochs and snapshots of every stream",
                      verify);
            one->add_option("PREFIX", options->what, "Only those that begin so");
            one = add("export", "All events, a JSON object a line", export_to);
            one->add_option("PREFIX", options->what, "Only those that begin so");
            one->add_option("--to", options->file, "A new file, instead of standard output")
                ->type_name("FILE");
            return [options, does, &invocation] {
              return run(invocation.program.name + " journal " + does->first, *options,
                         does->second);
            };
          }};
}

}  // namespace coterie
