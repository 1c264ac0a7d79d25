/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "output/table.h"
#include "lines.h"

void lines__check(const char *text, size_t width, const char *what)
{
	char escaped[8192], line[4096];
	const char *end;

	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		assert_non_null(end);
		assert_true((size_t)(end - text) < sizeof(line));
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		text_escape_controls(escaped, sizeof(escaped), line, strlen(line));
		if (strcmp(line, escaped))
			fail_msg("%s: control characters in: %s", what, escaped);
		if (text_columns(line) > width)
			fail_msg("%s: %zu columns: %s", what, text_columns(line), line);
		if (line[0] && line[strlen(line) - 1] == ' ')
			fail_msg("%s: blanks at the end of: %s", what, line);
	}
}
