#pragma once

// Files that are part of the binary, so that the product is one file. None of the texts ends in a zero byte.

/// How many conventions of attributes `mlflow_map` knows.
long millrace_convention_count(void);
/// The name of one, ended by a zero byte; `index` is below the count.
const char *millrace_convention_name(long index);
/// Its rules: a JSON text.
const unsigned char *millrace_convention_bytes(long index);
/// How many bytes its rules have.
long millrace_convention_size(long index);

/// The wrappers of values that rules name: a JSON text.
const unsigned char *millrace_wrappers_bytes(void);
/// How many bytes it has.
long millrace_wrappers_size(void);

/// Which rule wins over which: a JSON text.
const unsigned char *millrace_precedence_bytes(void);
/// How many bytes it has.
long millrace_precedence_size(void);

/// How many destinations are known by name.
long millrace_preset_count(void);
/// The name of one, ended by a zero byte; `index` is below the count.
const char *millrace_preset_name(long index);
/// What is known of it: a JSON text.
const unsigned char *millrace_preset_bytes(long index);
/// How many bytes that has.
long millrace_preset_size(long index);
