// Rare paths that are taken for a whole run of a node: only the simulator takes any.

#include "node/node_parts.hpp"

namespace coterie {

/// Bounds and waits that a link hardly ever meets.
void NodeParts::narrow(TransportOptions& options) const {
  LinkOptions& link = options.link;
  if (rare(out_.rare, "link.window_of_one")) link.stream.window_messages = 1;
  if (rare(out_.rare, "link.small_window")) link.stream.window_bytes = 4096;
  if (rare(out_.rare, "link.small_pieces")) link.stream.piece_bytes = 256;
  if (rare(out_.rare, "link.frames_of_one")) link.stream.frame_records = 1;
  if (rare(out_.rare, "link.acks_late")) link.ack_delay *= 40;
  if (rare(out_.rare, "link.acks_often")) link.ack_every = 1;
  if (rare(out_.rare, "link.stalls_soon")) link.ack_stall /= 10;
  if (rare(out_.rare, "link.downs_soon")) link.link_down_after /= 3;
  if (rare(out_.rare, "link.redials_late")) link.redial_in_session_min *= 200;
  if (rare(out_.rare, "link.hellos_often")) link.hello_again /= 20;
  if (rare(out_.rare, "link.oversleeps")) link.overslept /= 5;
  if (rare(out_.rare, "link.flaps_soon")) {
    link.flap_losses = 0;
    link.flap_redial_max /= 10;
  }
  if (rare(out_.rare, "link.beats_often")) options.beat_interval /= 4;
  if (rare(out_.rare, "link.beats_seldom")) options.beat_interval *= 2;
}

}  // namespace coterie
