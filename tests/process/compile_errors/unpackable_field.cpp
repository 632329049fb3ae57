// expect: field_cannot_be_packed__specialise_coterie_Packing_for_its_type() [with Aggregate =
// Order; Field = std::thread]
#include <thread>

#include <coterie/pack.hpp>

struct Order {
  int id = 0;
  std::vector<std::optional<std::thread>> workers;
};

coterie::Bytes write(const Order& order) { return coterie::pack(order); }
auto read(coterie::BytesView bytes) { return coterie::unpack<Order>(bytes); }
