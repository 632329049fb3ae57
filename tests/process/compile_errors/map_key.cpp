// expect: field_cannot_be_packed__specialise_coterie_Packing_for_its_type() [with Aggregate = Book;
#include <map>

#include <coterie/pack.hpp>
#include <coterie/pid.hpp>

struct Book {
  std::map<coterie::Pid, int> seats;
};

coterie::Bytes write(const Book& book) { return coterie::pack(book); }
