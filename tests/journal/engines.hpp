#pragma once
// The three engines under one suite. A Place is an empty store; storage(node) opens it once more,
// as another node would.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "journal/open_storage.hpp"

namespace coterie::test {

class Place {
 public:
  explicit Place(const std::string& engine);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place();

  StorageSet storage(const std::string& node) const;
  StorageResult<StorageSet> try_storage(const std::string& node) const;
  const std::string& directory() const { return directory_; }  // of SQLite
  const std::string& cluster_id() const { return cluster_id_; }

 private:
  std::string engine_;
  std::string cluster_id_;
  std::string directory_;
  std::string description_;
  std::shared_ptr<MemoryStore> memory_;
};

/// A new directory under the system's place for temporary files.
std::string make_directory();

class OnEachEngine : public testing::TestWithParam<std::string> {
 protected:
  Place place_{GetParam()};
};

inline std::string engine_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace coterie::test

#define COTERIE_ON_EACH_ENGINE(suite)                                                \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values("memory", "sqlite", "postgres"), \
                           coterie::test::engine_name)
