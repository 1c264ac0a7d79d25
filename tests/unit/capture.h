/* SPDX-License-Identifier: GPL-2.0-only */
/* What a call writes to stderr, for tests of what a person is told. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>

struct capture {
	int saved_fd, file_fd;
	char text[8192]; /* after capture__end(): what was written, NUL-terminated */
	size_t len;
};

/* From here to capture__end() stderr goes into a file without a name. Both abort on failure. */
void capture__begin(struct capture *c);

/* Give stderr back; returns c->text. */
const char *capture__end(struct capture *c);

#endif /* CAPTURE_H */
