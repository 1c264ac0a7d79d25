/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

#define LOG_PREFIX   "faultsnoop: "
#define LOG_TEXT_MAX 2048

/* The one piece of state: every part speaks, and carrying a level through all of them says less. */
static int shown_level;

void log_level_set(int level)
{
	shown_level = level;
}

int log_level(void)
{
	return shown_level;
}

static void log_line(const char *fmt, va_list args)
{
	char text[LOG_TEXT_MAX], line[sizeof(LOG_PREFIX) + LOG_TEXT_MAX * 4 + 1];
	size_t prefix_len = sizeof(LOG_PREFIX) - 1, len;
	int saved_errno = errno;

	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	/* libbpf's and strerror's lines may bring a newline of their own. */
	for (len = strlen(text); len > 0 && text[len - 1] == '\n'; len--)
		;
	memcpy(line, LOG_PREFIX, prefix_len);
	len = prefix_len +
	      text_escape_controls(line + prefix_len, sizeof(line) - prefix_len - 1, text, len);
	line[len++] = '\n';
	/* One write, so that lines of several threads and programs do not mix. */
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
	errno = saved_errno;
}

#define LOG_FUNCTION(name, level)          \
	void name(const char *fmt, ...)    \
	{                                  \
		va_list args;              \
                                           \
		if (shown_level < (level)) \
			return;            \
		va_start(args, fmt);       \
		log_line(fmt, args);       \
		va_end(args);              \
	}

LOG_FUNCTION(log_error, 0)
LOG_FUNCTION(log_warn, 0)
LOG_FUNCTION(log_info, 1)
LOG_FUNCTION(log_debug, 2)
