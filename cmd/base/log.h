/* SPDX-License-Identifier: GPL-2.0-only */
/* Words for the person who runs the program: one line each, on stderr. */
#ifndef FS_LOG_H
#define FS_LOG_H

/*
 * What is shown beside errors and warnings: 0 nothing, 1 log_info() (-v), 2 log_debug() too (-vv).
 * Set once, before threads are started.
 */
void log_level_set(int level);
int log_level(void);

/*
 * Print "faultsnoop: " and the text, with a newline, in one write(2). Control characters and
 * invalid UTF-8 in it are escaped, so names from other programs may be passed as they are; a text
 * of more than 2 KiB is cut. errno is kept.
 */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* FS_LOG_H */
