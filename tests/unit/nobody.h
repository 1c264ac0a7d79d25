/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_TEST_NOBODY_H
#define FS_TEST_NOBODY_H

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does fn hold for a user without any rights? Skips the test where we are not root. */
static inline bool holds_for_nobody(bool (*fn)(void))
{
	pid_t pid;
	int status = -1;

	if (geteuid()) {
		print_message("needs root, to become somebody else\n");
		skip();
	}
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(!fn());
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return !WEXITSTATUS(status);
}

#endif /* FS_TEST_NOBODY_H */
