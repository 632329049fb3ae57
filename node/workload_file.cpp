#include "node/workload_file.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace coterie {

std::expected<std::vector<WorkloadOperation>, std::string> read_workload_file(
    const Workload& workload, const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  file.peek();  // a directory can be opened, and not read
  if (!file.is_open() || file.bad()) {
    return std::unexpected(path + ": expected a file of commands, found none that can be read (" +
                           std::generic_category().message(errno) + ')');
  }
  file.clear();  // of the end, if it is empty
  return workload.read(file, path);
}

}  // namespace coterie
