/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"
#include "manual.h"

/*
 * Whoever starts us with stdin, stdout or stderr closed would have the next file we open, a BPF map
 * perhaps, take that number and our text written into it. Writing to what stands here now fails.
 */
static int fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options o;
	int status, err;

	err = options__parse(&o, command, argc, argv);
	if (err) {
		status = err == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
	} else if (o.help) {
		manual__command(stdout, command);
		status = STATUS_OK;
	} else {
		log_level_set(o.common.verbose);
		status = command->run(&o);
	}
	options__clear(&o);
	return status;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word) {
		manual__overview(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		manual__overview(stdout);
		return STATUS_OK;
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		printf("%s %s\n", FAULTSNOOP_NAME, FAULTSNOOP_VERSION);
		return STATUS_OK;
	}
	if (word[0] == '-') {
		log_error("'%s' stands before the command: write faultsnoop COMMAND [options]",
			  word);
		return STATUS_USAGE;
	}
	command = commands__find(word);
	if (!command) {
		commands__log_unknown(word);
		return STATUS_USAGE;
	}
	return run_command(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status, end_status;

	if (fill_standard_fds())
		return STATUS_FAILED;
	/* Writers see EPIPE and end the run in order; a PROGRAM that we start gets SIGPIPE back. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, which is inherited, it hides how a PROGRAM ended */
	status = dispatch(argc, argv);
	end_status = options__close_output(stdout);
	return status ? status : end_status;
}
