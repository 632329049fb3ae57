#include "tests/journal/engines.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "tests/journal/postgres_admin.hpp"

namespace coterie::test {

std::string make_directory() {
  std::string path = (std::filesystem::temp_directory_path() / "coterie-journal-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + path);
  return path;
}

Place::Place(const std::string& engine) : engine_(engine) {
  static std::atomic<int> places = 0;
  cluster_id_ = "test_" + std::to_string(::getpid()) + "_" + std::to_string(++places);
  if (engine == "memory") {
    description_ = "memory";
    memory_ = std::make_shared<MemoryStore>();
  } else if (engine == "sqlite") {
    directory_ = make_directory();
    description_ = "sqlite:" + directory_;
  } else {
    description_ = "postgres:" + postgres_conninfo();
  }
}

Place::~Place() {
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
  if (engine_ == "postgres") drop_postgres_schema(cluster_id_);
}

StorageResult<StorageSet> Place::try_storage(const std::string& node) const {
  return open_storage({.description = description_,
                       .node = node,
                       .cluster_id = cluster_id_,
                       .memory = memory_,
                       .wait = std::chrono::milliseconds(5000)});
}

StorageSet Place::storage(const std::string& node) const {
  auto opened = try_storage(node);
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

}  // namespace coterie::test
