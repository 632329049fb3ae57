#pragma once
// The examples of docs/wire.md, as bytes: what the specification shows is what tests run.

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <coterie/bytes.hpp>

namespace coterie::testing {

/// The frames that docs/wire.md shows, by their titles.
inline std::map<std::string, Bytes> documented_frames(const std::string& sources) {
  std::ifstream file(sources + "/docs/wire.md");
  std::map<std::string, Bytes> frames;
  std::string title;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "```") {
      inside = !inside && !title.empty();
      if (!inside) title.clear();
    } else if (inside) {
      std::istringstream bytes(line.substr(0, line.find(';')));
      for (unsigned byte = 0; bytes >> std::hex >> byte;) {
        frames[title].push_back(static_cast<char>(byte));
      }
    } else if (line.starts_with('`') && line.ends_with("`:")) {
      title = line.substr(1, line.size() - 3);
    }
  }
  return frames;
}

}  // namespace coterie::testing
