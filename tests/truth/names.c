/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `names HEXCOMM HEXFILE N` takes a thread name and maps a file of a name, both of any bytes but
 * NUL (and / in the file's), and writes N pages of it. `exec HEXFILE PROGRAM` puts a copy of a program
 * under that name and runs it.
 *
 * build: -o names
 */
#include "truth.h"

#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void unhex(const char *hex, char *out, size_t size)
{
	size_t n = strlen(hex) / 2;
	unsigned int c;

	if (n >= size)
		truth_die(2, "too long: %s", hex);
	for (size_t i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &c) != 1 || !c)
			truth_die(2, "not hex: %s", hex);
		out[i] = c;
	}
	out[n] = 0;
}

static int create(const char *hex, char *path, size_t size)
{
	const char *dir = getenv("TRUTH_DIR");
	char name[256];
	int fd;

	unhex(hex, name, sizeof(name));
	snprintf(path, size, "%s/%s", dir ? dir : ".", name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		truth_die_errno(path);
	return fd;
}

static int run_copy(const char *hex, const char *program)
{
	int in = open(program, O_RDONLY | O_CLOEXEC), out, status;
	char path[4096];
	struct stat st;
	pid_t pid;

	if (in < 0 || fstat(in, &st))
		truth_die_errno(program);
	out = create(hex, path, sizeof(path));
	if (sendfile(out, in, NULL, st.st_size) != st.st_size || close(out))
		truth_die_errno("copy");
	pid = fork();
	if (!pid) {
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		truth_die_errno("fork");
	unlink(path);
	return status;
}

int main(int argc, char **argv)
{
	static const char page[4096];
	char comm[64], path[4096], *mem;
	unsigned int n;
	int fd;

	if (argc != 4)
		truth_die(2, "usage: names HEXCOMM HEXFILE N | names exec HEXFILE PROGRAM");
	truth_init(0);
	if (!strcmp(argv[1], "exec"))
		return !!run_copy(argv[2], argv[3]);
	n = truth_number(argv[3]);
	unhex(argv[1], comm, sizeof(comm));
	fd = create(argv[2], path, sizeof(path));
	for (unsigned int i = 0; i <= n; i++)
		if (write(fd, page, sizeof(page)) != sizeof(page))
			truth_die_errno("write");
	mem = truth_map(n + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	prctl(PR_SET_NAME, comm);
	truth_write(mem, n, 1);
	unlink(path);
	truth_expect("file", "cow", n);
	truth_print();
	return 0;
}
