// expect: a_task_is_a_function_without_parameters() [with Function = main()::<lambda(int)>]
#include <coterie/task.hpp>

int main() {
  coterie::Task::async([](int input) { return input + 1; });
}
