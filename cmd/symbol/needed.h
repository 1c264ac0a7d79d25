/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program needs to run: its interpreter and the libraries that it names. */
#ifndef FS_NEEDED_H
#define FS_NEEDED_H

/*
 * Call fn with the path of the interpreter and the names of the libraries (DT_NEEDED) of an object,
 * valid during the call. Nothing where it is no ELF object or needs none. fd stays the caller's.
 */
void elf_needed(int fd, void (*fn)(void *ctx, const char *name), void *ctx);

#endif /* FS_NEEDED_H */
