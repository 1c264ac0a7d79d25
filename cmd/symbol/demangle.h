/* SPDX-License-Identifier: GPL-2.0-only */
/* Names as they were before a compiler mangled them. */
#ifndef FS_DEMANGLE_H
#define FS_DEMANGLE_H

#include <stddef.h>

#define DEMANGLED_MAX 8192 /* bytes of a name, with the NUL; a longer one is not demangled */

/*
 * A C++ or Rust (legacy and v0) name without parameters and hash, as perf script shows it, into
 * DEMANGLED_MAX bytes. Returns out; or the name itself where it is not mangled, or is hostile.
 */
const char *demangle(const char *name, char *out);

#endif /* FS_DEMANGLE_H */
