#pragma once
// The real file of a voter, in a directory of the node. Owned by the voter's driver, whose thread
// waits for the disk; one thread.

#include <string>

#include "registry/voter_file.hpp"

namespace coterie {

class FileVoterDisk final : public VoterDisk {
 public:
  /// The file `voter` in `directory`, which must exist.
  explicit FileVoterDisk(std::string directory);
  ~FileVoterDisk() override;
  FileVoterDisk(const FileVoterDisk&) = delete;
  FileVoterDisk& operator=(const FileVoterDisk&) = delete;

  StorageResult<Bytes> read() override;
  StorageResult<void> create(BytesView content) override;
  StorageResult<void> write(std::size_t offset, BytesView bytes) override;
  StorageResult<void> sync() override;

 private:
  StorageResult<void> write_to(int file, std::size_t offset, BytesView bytes) const;
  std::unexpected<StorageError> failed(std::string_view what, int error) const;

  std::string directory_;
  std::string path_;
  int file_ = -1;
};

}  // namespace coterie
