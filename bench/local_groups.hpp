#pragma once
// The groups of local figures, one file each.

namespace coterie::bench {

class Figures;

void measure_calls(Figures& figures);
void measure_spawns(Figures& figures);
void measure_classics(Figures& figures);
void measure_names(Figures& figures);
void measure_restarts(Figures& figures);
void measure_timers(Figures& figures);

}  // namespace coterie::bench
