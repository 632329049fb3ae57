// The contract's life as a diagram: prints the transitions as Mermaid, which docs/contracts.md
// shows. Nobody draws it: it is computed from the table that decides every command, so what a
// reader sees is what the program does.

#include <iostream>

#include "examples/contracts/lifecycle.hpp"

int main() { std::cout << contracts::transitions_diagram(); }
