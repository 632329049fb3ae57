#pragma once
// A file system of SQLite's (a VFS) that gathers what a commit writes to the write-ahead log and
// hands it to the system in pieces of 64 KiB instead of two small writes a page. The log's sync
// hands over what is left and answers for all of it, so this is for connections that sync every
// commit, and write pages with it only (cache_spill off), and no others: whoever does not would
// show others a commit that is not in the file yet, or write over theirs what it has undone.
// Everything else passes to SQLite's default. A connection's files belong to one thread at a time.

namespace coterie::detail {

/// Makes it known to SQLite once; the name to open a connection with. Threads may race here.
const char* gathering_vfs();

}  // namespace coterie::detail
