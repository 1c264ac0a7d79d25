/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions of the kernel and its modules: /proc/kallsyms. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "symbol/kernel.h"

#define BUFFER      (256 << 10)
#define MAX_TEXT    (64U << 20) /* of names */
#define MAX_MODULES 65535
#define MAX_LINE    4096

/* Not only functions: what follows one ends it. */
struct kernel_symbol {
	__u64 addr;
	__u32 name;   /* in names[] */
	__u16 module; /* 0: the kernel */
	__u8 rank;    /* as enum symbol_rank */
	bool function;
};

struct kernel_symbols {
	size_t n, room;
	struct kernel_symbol *v; /* by address, then rank */
	size_t names_len, names_room;
	char *names;
	size_t nmodules, modules_room;
	__u32 *modules; /* their names in names[], from module 1 on */
};

/* ---- the file --------------------------------------------------------------------------------- */

/* Keep a name of len bytes; its place or -errno. */
static __s64 add_name(struct kernel_symbols *k, const char *name, size_t len)
{
	size_t at = k->names_len;

	if (at + len + 1 > MAX_TEXT)
		return -EFBIG;
	while (at + len + 1 > k->names_room) {
		size_t room = k->names_room ? k->names_room * 2 : 1 << 20;
		char *more = realloc(k->names, room);

		if (!more)
			return -ENOMEM;
		k->names = more;
		k->names_room = room;
	}
	memcpy(k->names + at, name, len);
	k->names[at + len] = '\0';
	k->names_len += len + 1;
	return at;
}

/* Number of a module; symbols of one come together. */
static int module_number(struct kernel_symbols *k, const char *name, size_t len)
{
	__s64 at;
	void *more;

	if (k->nmodules) {
		const char *last = k->names + k->modules[k->nmodules - 1];

		if (!strncmp(last, name, len) && !last[len])
			return k->nmodules;
	}
	if (k->nmodules == MAX_MODULES)
		return -EFBIG;
	more = with_room(k->modules, k->nmodules, &k->modules_room, sizeof(*k->modules));
	if (!more)
		return -ENOMEM;
	k->modules = more;
	at = add_name(k, name, len);
	if (at < 0)
		return at;
	k->modules[k->nmodules++] = at;
	return k->nmodules;
}

/* A line "ADDRESS TYPE NAME[\t[MODULE]]"; others are skipped. 0 or -errno. */
static int add_line(struct kernel_symbols *k, const char *line, const char *end)
{
	struct kernel_symbol s = {};
	const char *p = line, *name, *tab;
	void *more;
	__s64 at;
	char type;

	for (; p < end; p++) {
		int digit = *p >= '0' && *p <= '9' ? *p - '0' :
			    *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 :
						     -1;

		if (digit < 0)
			break;
		s.addr = s.addr << 4 | digit;
	}
	if (p == line || end - p < 4 || p[0] != ' ' || p[2] != ' ')
		return 0;
	type = p[1];
	name = p + 3;
	/* per-CPU offsets and constants are no addresses */
	if (!s.addr || type == 'a' || type == 'A' || type == 'U')
		return 0;
	tab = memchr(name, '\t', end - name);
	if (tab && tab + 2 < end) {
		int module = module_number(k, tab + 1, end - tab - 1);

		if (module < 0)
			return module;
		s.module = module;
	}
	s.function = strchr("tTwW", type);
	s.rank = type == 'T' ? RANK_GLOBAL : type == 'W' || type == 'w' ? RANK_WEAK : RANK_LOCAL;
	at = add_name(k, name, (tab ? tab : end) - name);
	more = at < 0 ? NULL : with_room(k->v, k->n, &k->room, sizeof(*k->v));
	if (!more)
		return at < 0 ? at : -ENOMEM;
	s.name = at;
	k->v = more;
	k->v[k->n++] = s;
	return 0;
}

static int add_lines(struct kernel_symbols *k, int fd)
{
	char *buf = malloc(BUFFER);
	size_t len = 0;
	ssize_t got = 1;
	int err = buf ? 0 : -ENOMEM;

	while (!err && got) {
		char *line = buf, *end;

		got = read(fd, buf + len, BUFFER - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = -errno;
			break;
		}
		len += got;
		while (!err && (end = memchr(line, '\n', buf + len - line))) {
			err = add_line(k, line, end);
			line = end + 1;
		}
		len = buf + len - line;
		memmove(buf, line, len);
		if (len > MAX_LINE)
			err = -EINVAL;
	}
	free(buf);
	return err;
}

static int cmp(const void *va, const void *vb)
{
	const struct kernel_symbol *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->function != b->function)
		return a->function ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

struct kernel_symbols *kernel_symbols__read(int fd)
{
	struct kernel_symbols *k = calloc(1, sizeof(*k));
	int err = k ? add_lines(k, fd) : -ENOMEM;

	if (!err) {
		size_t i;

		for (i = 1; i < k->n; i++)
			if (cmp(&k->v[i - 1], &k->v[i]) > 0)
				break;
		if (i < k->n)
			qsort(k->v, k->n, sizeof(*k->v), cmp);
		return k;
	}
	kernel_symbols__free(k);
	errno = -err;
	return NULL;
}

void kernel_symbols__free(struct kernel_symbols *k)
{
	if (!k)
		return;
	free(k->v);
	free(k->names);
	free(k->modules);
	free(k);
}

/* ---- look-ups --------------------------------------------------------------------------------- */

/* Of several at one address, all of one rank, that with the fewest underscores before it. */
static const struct kernel_symbol *best_of(const struct kernel_symbols *k,
					   const struct kernel_symbol *s)
{
	const struct kernel_symbol *best = s;

	for (const struct kernel_symbol *o = s + 1; o < k->v + k->n; o++) {
		if (o->addr != s->addr || o->rank != s->rank || !o->function)
			break;
		if (strspn(k->names + o->name, "_") < strspn(k->names + best->name, "_"))
			best = o;
	}
	return best;
}

const char *kernel_symbols__find(const struct kernel_symbols *k, __u64 addr, __u64 *start,
				 const char **module)
{
	size_t low = 0, high = k->n, next;
	const struct kernel_symbol *s;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->v[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	next = low;
	while (low > 1 && k->v[low - 2].addr == k->v[low - 1].addr)
		low--;
	s = low ? &k->v[low - 1] : NULL;
	if (!s || !s->function)
		return NULL;
	/* the last one of a module, and of the kernel: as far as perf's symbols__fixup_end() goes */
	if ((next == k->n || k->v[next].module != s->module) &&
	    addr >= page_round(s->addr + 1) + page_round(1))
		return NULL;
	s = best_of(k, s);
	*start = s->addr;
	*module = s->module ? k->names + k->modules[s->module - 1] : "[kernel.kallsyms]";
	return k->names + s->name;
}

static void read_kallsyms(struct symbolizer *sz)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);

	sz->kernel_tried = true;
	if (fd >= 0) {
		sz->kernel = kernel_symbols__read(fd);
		close(fd);
	}
	/* with kptr_restrict all addresses are 0, and none was taken */
	if (!sz->kernel || !kernel_symbols__count(sz->kernel))
		log_warn("names of kernel functions are unknown: /proc/kallsyms %s",
			 sz->kernel ? "shows no addresses (sysctl kernel.kptr_restrict)" :
				      strerror(errno));
}

size_t kernel_symbols__count(const struct kernel_symbols *k)
{
	return k->n;
}

bool symbolizer__kernel_frame(struct symbolizer *sz, __u64 addr, bool call, struct sym_frame *out)
{
	const char *name, *module;
	__u64 start;

	*out = (struct sym_frame){ .object = "[kernel.kallsyms]", .kernel = true };
	if (!sz->kernel_tried)
		read_kallsyms(sz);
	name = sz->kernel ? kernel_symbols__find(sz->kernel, addr - call, &start, &module) : NULL;
	if (!name)
		return false;
	/* Rust's names are mangled here too, others are C's */
	out->name = strncmp(name, "_R", 2) ? name : symbolizer__intern_name(sz, name);
	out->offset = addr - start;
	out->object = module;
	return out->name;
}
