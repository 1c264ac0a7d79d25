/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `evcount OUT PROGRAM [ARG]…` runs a program with the kernel's software events PAGE_FAULTS,
 * PAGE_FAULTS_MIN and PAGE_FAULTS_MAJ opened on it: inherited by its children, counting from exec
 * on. Writes to OUT what they counted, and what getrusage added between exec and the end (its
 * own process, and all of it with the children waited for). Ends with the program's status.
 *
 * build: -o evcount
 */
#include "truth.h"

#include <sys/wait.h>

struct shared {
	struct rusage before; /* the child's, as it enters execve */
};

static void hold(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
	close(fd);
}

/* minflt cminflt majflt cmajflt of a process that has ended and was not yet waited for */
static void read_stat(pid_t pid, unsigned long long v[4])
{
	char path[64], buf[1024], *at;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (len <= 0)
		truth_die_errno(path);
	close(fd);
	buf[len] = 0;
	at = strrchr(buf, ')');
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %llu %llu %llu %llu", &v[0], &v[1],
			  &v[2], &v[3]) != 4)
		truth_die(1, "%s: not understood", path);
}

/* Where the program is, so that the child has nothing left to do but execve. */
static const char *find(const char *name)
{
	const char *path = getenv("PATH");
	static char found[4096];

	if (strchr(name, '/') || !path)
		return name;
	while (*path) {
		size_t len = strcspn(path, ":");

		snprintf(found, sizeof(found), "%.*s/%s", (int)len, path, name);
		if (!access(found, X_OK))
			return found;
		path += len + (path[len] == ':');
	}
	truth_die(127, "%s: not found", name);
}

static void child(struct shared *sh, int go, const char *path, char **argv)
{
	hold(go);
	/* Twice: the first call brings in whatever the second, and execve, need. */
	syscall(SYS_getrusage, RUSAGE_SELF, &sh->before);
	syscall(SYS_getrusage, RUSAGE_SELF, &sh->before);
	syscall(SYS_execve, path, argv, environ);
	_exit(127);
}

int main(int argc, char **argv)
{
	const char *path;
	struct shared *sh;
	unsigned long long v[4];
	int fds[3], go[2], status;
	siginfo_t info;
	pid_t pid;
	FILE *out;

	if (argc < 3)
		truth_die(2, "usage: evcount OUT PROGRAM [ARG]...");
	path = find(argv[2]);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || pipe2(go, O_CLOEXEC))
		truth_die_errno("evcount");
	pid = fork();
	if (!pid) {
		close(go[1]);
		child(sh, go[0], path, argv + 2);
	}
	for (int i = 0; i < 3; i++) {
		fds[i] = truth_perf_open(PERF_TYPE_SOFTWARE, truth_configs[i], pid, 1);
		if (fds[i] < 0)
			truth_die_errno("perf_event_open");
	}
	close(go[1]);
	while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
		;
	read_stat(pid, v);
	out = fopen(argv[1], "we");
	if (!out)
		truth_die_errno(argv[1]);
	fprintf(out,
		"{\"pid\": %d, \"page_faults\": %lld, \"minor\": %lld, \"major\": %lld, "
		"\"usage_minor\": %lld, \"usage_major\": %lld, "
		"\"children_minor\": %llu, \"children_major\": %llu}\n",
		pid, truth_perf_read(fds[0]), truth_perf_read(fds[1]), truth_perf_read(fds[2]),
		(long long)v[0] - sh->before.ru_minflt, (long long)v[2] - sh->before.ru_majflt,
		v[1], v[3]);
	if (fclose(out))
		truth_die_errno(argv[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
