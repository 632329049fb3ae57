#include "tests/house/source.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace coterie::house {
namespace {

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// Blanks comments and the insides of literals; keeps every line end.
class Blanker {
 public:
  Blanker(std::string_view text, std::vector<std::size_t>& raw_literal_lines)
      : in_(text), raw_literal_lines_(raw_literal_lines) {}

  std::string run() {
    while (at_ < in_.size()) {
      if (starts("//")) {
        blank_until(in_.find('\n', at_));
      } else if (starts("/*")) {
        const auto end = in_.find("*/", at_ + 2);
        blank_until(end == in_.npos ? end : end + 2);
      } else if (starts("R\"") && !after_name()) {
        raw_string();
      } else if (in_[at_] == '"') {
        literal('"');
      } else if (in_[at_] == '\'' && !after_name()) {  // else a digit separator: 1'000
        literal('\'');
      } else {
        out_ += in_[at_++];
      }
    }
    return std::move(out_);
  }

 private:
  bool starts(std::string_view what) const { return in_.substr(at_).starts_with(what); }
  bool after_name() const { return at_ > 0 && is_name_char(in_[at_ - 1]); }

  void blank_until(std::size_t end) {
    for (end = std::min(end, in_.size()); at_ < end; ++at_) out_ += in_[at_] == '\n' ? '\n' : ' ';
  }
  void literal(char quote) {
    out_ += in_[at_++];
    std::size_t end = at_;
    while (end < in_.size() && in_[end] != quote && in_[end] != '\n') {
      end += in_[end] == '\\' ? 2 : 1;
    }
    blank_until(end);
    if (at_ < in_.size() && in_[at_] == quote) out_ += in_[at_++];
  }
  void raw_string() {
    const std::size_t open = in_.find('(', at_);
    if (open == in_.npos) return blank_until(open);
    std::string close = ")";
    close += in_.substr(at_ + 2, open - at_ - 2);
    close += '"';
    const std::size_t end = in_.find(close, open);
    auto line = static_cast<std::size_t>(1 + std::ranges::count(out_, '\n'));
    blank_until(end == in_.npos ? end : end + close.size());
    const auto last = static_cast<std::size_t>(1 + std::ranges::count(out_, '\n'));
    while (line <= last) raw_literal_lines_.push_back(line++);
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<std::size_t>& raw_literal_lines_;
};

void read_include(Source& source, std::size_t index) {
  std::string_view code = source.code[index];
  const auto skip_blanks = [&] {
    code.remove_prefix(std::min(code.find_first_not_of(" \t"), code.size()));
  };
  skip_blanks();
  if (!code.starts_with('#')) return;
  code.remove_prefix(1);
  skip_blanks();
  if (!code.starts_with("include")) return;
  const std::string& line = source.lines[index];
  const std::size_t open = line.find_first_of("<\"");
  if (open == line.npos) return;
  const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
  if (close == line.npos) return;
  source.includes.push_back(
      {index + 1, line.substr(open + 1, close - open - 1), line[open] == '"'});
}

}  // namespace

std::string_view Source::folder() const {
  return std::string_view(path).substr(0, std::min(path.find('/'), path.size()));
}

Source parse(std::string path, std::string text) {
  Source source;
  source.path = std::move(path);
  source.text = std::move(text);
  source.lines = split_lines(source.text);
  if (source.is_cpp()) {
    source.code = split_lines(Blanker(source.text, source.raw_literal_lines).run());
    for (std::size_t i = 0; i < source.code.size(); ++i) read_include(source, i);
  }
  return source;
}

std::vector<Source> read_repository(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  static constexpr std::string_view folders[] = {
      "include", "process",  "transport",       "registry", "supervision", "journal", "node",
      "sim",     "examples", "cluster-configs", "tests",    "bench",       "cmake"};
  static constexpr std::string_view endings[] = {".hpp", ".cpp", "CMakeLists.txt", ".cmake",
                                                 ".sh",  ".py",  ".toml",          ".in"};
  std::vector<fs::path> files = {root / "CMakeLists.txt", root / "run", root / ".ci/run"};
  for (const auto folder : folders) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().string();
      if (entry.is_regular_file() &&
          std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); })) {
        files.push_back(entry.path());
      }
    }
  }
  std::ranges::sort(files);
  std::vector<Source> sources;
  for (const auto& file : files) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    sources.push_back(parse(fs::relative(file, root).generic_string(), text.str()));
  }
  return sources;
}

bool mentions(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    const char before = at == 0 ? ' ' : line[at - 1];
    const std::size_t end = at + word.size();
    const char after = end == line.size() ? ' ' : line[end];
    if (!is_name_char(before) && before != '>' && !is_name_char(after)) return true;
  }
  return false;
}

}  // namespace coterie::house
