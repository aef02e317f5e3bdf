#pragma once

// The files of the console page, which are part of the binary. None of them ends in a zero byte.

/// How many files there are.
long millrace_console_file_count(void);
/// The name of one, ended by a zero byte; `index` is below the count.
const char *millrace_console_file_name(long index);
/// Its bytes.
const unsigned char *millrace_console_file_bytes(long index);
/// How many bytes it has.
long millrace_console_file_size(long index);
