#include "sim/sim_draw_cluster.hpp"

namespace coterie::sim {
namespace {

std::string node_name(std::size_t index, std::size_t count) {
  if (count <= 26) return std::string(1, static_cast<char>('a' + index));
  return "n" + std::to_string(index + 1);
}

}  // namespace

std::string cluster_text(std::size_t nodes, const Lease& lease, const std::string& hosted,
                         bool respawn, AgreementEngine agreement, NameKeeper names) {
  std::string text = "[cluster]\nid = \"simulated\"\njournal = \"memory\"\nagreement = \"" +
                     std::string(word_of(agreement)) + "\"\nnames = \"" +
                     std::string(word_of(names)) + "\"\n[lease]\ninterval = \"" +
                     std::string(lease.interval) + "\"\nlength = \"" + std::string(lease.length) +
                     "\"\n";
  for (std::size_t i = 0; i < nodes; ++i) {
    // Addresses that are never used, one each.
    const std::string port = std::to_string(20'000 + i);
    const std::string client_port = std::to_string(30'000 + i);
    text += "[[node]]\nname = \"" + node_name(i, nodes) + "\"\nlisten = \"127.0.0.1:" + port +
            "\"\nclient_listen = \"127.0.0.1:" + client_port + "\"\nstate_dir = \"sim/" +
            node_name(i, nodes) + "\"\nkinds = [" + hosted +
            "]\nrespawn = " + (respawn ? "true" : "false") + "\n";
  }
  return text;
}

}  // namespace coterie::sim
