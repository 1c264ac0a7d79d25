/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libiberty's demanglers that call back: those that return a string double its buffer until memory
 * ends, which names that refer to their own parts reach within a few hundred bytes.
 */
#include <setjmp.h>
#include <string.h>
#include <libiberty/demangle.h>

#include "symbol/demangle.h"

/*
 * libiberty refuses names of more than half of DEMANGLE_RECURSION_LIMIT, unless told not to care of
 * the stack. It takes a few hundred bytes of stack for each byte of a name.
 */
#define MAX_MANGLED 4096

struct output {
	char *out;
	size_t len;
	jmp_buf full;
};

/* There is no other way to stop a demangler than to leave it; it holds nothing of importance. */
static void append(const char *text, size_t len, void *ctx)
{
	struct output *o = ctx;

	if (len >= DEMANGLED_MAX - o->len)
		longjmp(o->full, 1);
	/* nothing may be NULL */
	if (len)
		memcpy(o->out + o->len, text, len);
	o->len += len;
}

const char *demangle(const char *name, char *out)
{
	/* volatile: it is not to be lost by longjmp() */
	const char *volatile mangled = name;
	struct output o = { .out = out };
	int ok;

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, MAX_MANGLED) == MAX_MANGLED)
		return name;
	if (setjmp(o.full))
		return mangled;
	/* first: names of Rust's older scheme are valid names of C++ */
	ok = rust_demangle_callback(mangled, DMGL_NO_OPTS, append, &o);
	if (!ok) {
		o.len = 0;
		ok = cplus_demangle_v3_callback(mangled, DMGL_NO_RECURSE_LIMIT, append, &o);
	}
	out[o.len] = '\0';
	return ok && o.len ? out : mangled;
}
