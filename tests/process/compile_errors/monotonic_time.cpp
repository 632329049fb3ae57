// expect: type_cannot_be_packed__specialise_coterie_Packing_for_it() [with Type =
// std::chrono::time_point<coterie::MonotonicTimeline
#include <coterie/pack.hpp>

// A moment of the monotonic clock means nothing on another machine.
coterie::Bytes write(coterie::Time time) { return coterie::pack(time); }
