// SPDX-License-Identifier: GPL-2.0-only
#include "live/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct program {
	pid_t pid;
	int pidfd;
	int gate;    /* written to: go */
	int verdict; /* read from: errno of execve, or the end of the file when it went well */
	bool ended;
	int status;
};

static void run_child(char *const *argv, int gate, int verdict)
{
	sigset_t none;
	char go;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (read(gate, &go, 1) != 1)
		_exit(127); /* the tracer has gone */
	execvp(argv[0], argv);
	err = errno;
	if (write(verdict, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(127);
}

struct program *program__start(char *const *argv)
{
	struct program *p = calloc(1, sizeof(*p));
	int gate[2] = { -1, -1 }, verdict[2] = { -1, -1 }, err;

	if (!p)
		return NULL;
	p->pidfd = -1;
	if (pipe2(gate, O_CLOEXEC) || pipe2(verdict, O_CLOEXEC))
		goto fail;
	p->pid = fork();
	if (p->pid < 0)
		goto fail;
	if (!p->pid) {
		close(gate[1]);
		run_child(argv, gate[0], verdict[1]);
	}
	close(gate[0]);
	close(verdict[1]);
	gate[0] = verdict[1] = -1;
	p->gate = gate[1];
	p->verdict = verdict[0];
	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd >= 0)
		return p;
	err = errno;
	program__free(p);
	errno = err;
	return NULL;
fail:
	err = errno;
	for (int i = 0; i < 2; i++) {
		if (gate[i] >= 0)
			close(gate[i]);
		if (verdict[i] >= 0)
			close(verdict[i]);
	}
	free(p);
	errno = err;
	return NULL;
}

pid_t program__pid(const struct program *p)
{
	return p->pid;
}

int program__fd(const struct program *p)
{
	return p->pidfd;
}

int program__release(struct program *p)
{
	int err = 0;
	ssize_t n;

	if (write(p->gate, "", 1) != 1)
		return -errno;
	do
		n = read(p->verdict, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? -err : 0;
}

static void note_end(struct program *p, int status)
{
	p->ended = true;
	p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool program__ended(struct program *p, int *status)
{
	int st;

	if (!p->ended && waitpid(p->pid, &st, WNOHANG) == p->pid)
		note_end(p, st);
	if (p->ended)
		*status = p->status;
	return p->ended;
}

void program__free(struct program *p)
{
	struct pollfd pfd;
	int st;

	if (!p)
		return;
	close(p->gate);
	close(p->verdict);
	if (!p->ended && !program__ended(p, &st)) {
		pfd = (struct pollfd){ .fd = p->pidfd, .events = POLLIN };
		kill(p->pid, SIGTERM);
		if (p->pidfd < 0 || poll(&pfd, 1, 1000) <= 0)
			kill(p->pid, SIGKILL);
		waitpid(p->pid, &st, 0);
	}
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p);
}
