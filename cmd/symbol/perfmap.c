/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/file.h"
#include "symbol/perfmap.h"

#define MAX_ENTRIES (1U << 20)

/* A line of the file. */
struct entry {
	__u64 start, end;
	__u32 name; /* in text */
};

/* What is left of them: pieces that do not overlap. */
struct piece {
	__u64 from, to;
	__u32 entry;
};

struct perfmap {
	char *text; /* the file; names are NUL-terminated in it */
	__u64 size;
	size_t nentries, room;
	struct entry *entries;
	size_t npieces;
	struct piece *pieces; /* sorted */
};

/* ---- the file --------------------------------------------------------------------------------- */

/* A number of 1 to 16 hex digits, with 0x or without. Where it ends, or NULL. */
static char *take_hex(char *p, __u64 *out)
{
	int n = 0;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	for (*out = 0;; n++, p++) {
		int digit = *p >= '0' && *p <= '9' ? *p - '0' :
			    *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 :
			    *p >= 'A' && *p <= 'F' ? *p - 'A' + 10 :
						     -1;

		if (digit < 0)
			return n ? p : NULL;
		if (n == 16)
			return NULL;
		*out = *out << 4 | digit;
	}
}

static int add_line(struct perfmap *m, char *line)
{
	__u64 start, size;
	char *p = take_hex(line, &start);
	void *more;

	p = p && *p == ' ' ? take_hex(p + 1, &size) : NULL;
	if (!p || *p != ' ' || !p[1] || !size || size > UINT64_MAX - start)
		return 0;
	if (m->nentries == MAX_ENTRIES)
		return 0;
	more = with_room(m->entries, m->nentries, &m->room, sizeof(*m->entries));
	if (!more)
		return -ENOMEM;
	m->entries = more;
	m->entries[m->nentries++] =
		(struct entry){ .start = start, .end = start + size, .name = p + 1 - m->text };
	return 0;
}

static int add_lines(struct perfmap *m, size_t len)
{
	char *line = m->text, *end;
	int err = 0;

	while (!err && (end = memchr(line, '\n', m->text + len - line))) {
		*end = '\0';
		err = add_line(m, line);
		line = end + 1;
	}
	return err;
}

/* ---- what stands ------------------------------------------------------------------------------ */

static int cmp_u64(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static size_t unique(__u64 *v, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++)
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	return out;
}

static size_t index_of(const __u64 *v, size_t n, __u64 x)
{
	return (const __u64 *)bsearch(&x, v, n, sizeof(x), cmp_u64) - v;
}

/* The first cell at or behind i that nobody has: next[i] leads there, and is shortened. */
static __u32 first_free(__u32 *next, __u32 i)
{
	__u32 root = i;

	while (next[root] != root)
		root = next[root];
	while (next[i] != root) {
		__u32 following = next[i];

		next[i] = root;
		i = following;
	}
	return root;
}

/*
 * All starts and ends cut the addresses into cells. The last entry takes its cells, then the one
 * before it those that are left, and so on. 0 or -ENOMEM.
 */
static int make_pieces(struct perfmap *m)
{
	size_t n = 2 * m->nentries, ncells;
	__u64 *edges = malloc((n + 1) * sizeof(*edges));
	__u32 *next = malloc((n + 1) * sizeof(*next)), *owner = calloc(n + 1, sizeof(*owner));
	int err = -ENOMEM;

	if (!edges || !next || !owner)
		goto out;
	for (size_t i = 0; i < m->nentries; i++) {
		edges[2 * i] = m->entries[i].start;
		edges[2 * i + 1] = m->entries[i].end;
	}
	qsort(edges, n, sizeof(*edges), cmp_u64);
	ncells = unique(edges, n);
	for (size_t i = 0; i < ncells; i++)
		next[i] = i;
	for (size_t i = m->nentries; i-- > 0;) {
		__u32 end = index_of(edges, ncells, m->entries[i].end);
		__u32 c = first_free(next, index_of(edges, ncells, m->entries[i].start));

		/* the last edge begins no cell and is never taken */
		for (; c < end; c = first_free(next, c)) {
			owner[c] = i + 1;
			next[c] = c + 1;
		}
	}
	m->pieces = malloc((ncells + 1) * sizeof(*m->pieces));
	if (!m->pieces)
		goto out;
	for (size_t i = 0; i + 1 < ncells; i++) {
		struct piece *last = m->npieces ? &m->pieces[m->npieces - 1] : NULL;

		if (!owner[i])
			continue;
		if (last && last->to == edges[i] && last->entry == owner[i] - 1)
			last->to = edges[i + 1];
		else
			m->pieces[m->npieces++] =
				(struct piece){ edges[i], edges[i + 1], owner[i] - 1 };
	}
	err = 0;
out:
	free(edges);
	free(next);
	free(owner);
	return err;
}

struct perfmap *perfmap__read(int fd)
{
	struct perfmap *m = calloc(1, sizeof(*m));
	ssize_t len = -ENOMEM;
	char *less;

	if (!m)
		return NULL;
	m->text = malloc(PERFMAP_MAX_BYTES + 1);
	if (m->text)
		len = read_at(fd, m->text, PERFMAP_MAX_BYTES, 0);
	if (len < 0)
		goto fail;
	m->text[len] = '\0';
	m->size = len;
	less = realloc(m->text, len + 1);
	if (less)
		m->text = less;
	len = add_lines(m, len);
	if (!len)
		len = make_pieces(m);
	if (!len)
		return m;
fail:
	perfmap__free(m);
	errno = -len;
	return NULL;
}

void perfmap__free(struct perfmap *m)
{
	if (!m)
		return;
	free(m->text);
	free(m->entries);
	free(m->pieces);
	free(m);
}

const char *perfmap__find(const struct perfmap *m, __u64 addr, __u64 *start)
{
	size_t low = 0, high = m->npieces;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr < m->pieces[mid].from) {
			high = mid;
		} else if (addr >= m->pieces[mid].to) {
			low = mid + 1;
		} else {
			const struct entry *e = &m->entries[m->pieces[mid].entry];

			*start = e->start;
			return m->text + e->name;
		}
	}
	return NULL;
}

__u64 perfmap__size(const struct perfmap *m)
{
	return m->size;
}
