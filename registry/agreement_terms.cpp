#include "registry/agreement_terms.hpp"

#include <algorithm>

namespace coterie {

Duration LeaseTiming::own_lease_of(Duration granted) const {
  return granted - granted / 1'000'000 * (2 * drift_ppm) - slack;
}
Duration LeaseTiming::others_wait() const { return length + length / 1'000'000 * (2 * drift_ppm); }
Duration LeaseTiming::late_limit() const { return std::max(3 * interval, length / 4); }

}  // namespace coterie
