/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "comm;root;…;leaf COUNT", whole numbers, a line for each stack that has the weight. flamegraph.pl
 * takes a frame's last blank and digits for a second column, and JavaScript's \s and end of line
 * know more characters than ASCII does, so no blank of any kind stays in a name.
 */
#include <errno.h>
#include <stdlib.h>

#include "output/flame_impl.h"

/*
 * Bytes of the blank or line end at p, of n: ASCII's blank, and what ECMAScript's WhiteSpace and
 * LineTerminator have beyond ASCII (C1 is escaped already). 0: it is none.
 */
static size_t blank_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (p[0] == ' ')
		return 1;
	if (n >= 2 && p[0] == 0xc2 && p[1] == 0xa0) /* U+00A0 */
		return 2;
	if (n < 3)
		return 0;
	if ((p[0] == 0xe1 && p[1] == 0x9a && p[2] == 0x80) || /* U+1680 */
	    (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80) || /* U+3000 */
	    (p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0x9f) || /* U+205F */
	    (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf))   /* U+FEFF */
		return 3;
	/* U+2000 to U+200A, U+2028, U+2029, U+202F */
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    (p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf))
		return 3;
	return 0;
}

/* What was appended since `from`, without blanks and semicolons; it gets no longer. */
static void clean_since(struct writer *w, size_t from)
{
	char *p = w->buf + from, *to = p;
	size_t n = w->len - from, take;

	for (; n; p += take, n -= take) {
		take = blank_len(p, n);
		if (take) {
			*to++ = '_';
		} else {
			take = 1;
			*to++ = *p == ';' ? ':' : *p;
		}
	}
	w->len = to - w->buf;
}

static void put_name(struct writer *w, const struct profile_frame *frame)
{
	struct writer raw = { 0 };

	flame_frame__name(&raw, frame);
	writer__escaped(w, raw.buf, raw.len);
	if (raw.err && !w->err)
		w->err = raw.err;
	free(raw.buf);
}

void flame_folded__name(struct writer *w, const struct profile_frame *frame)
{
	size_t from = w->len;

	put_name(w, frame);
	if (w->err)
		return;
	clean_since(w, from);
	/* A line that begins so is a comment to some. */
	if (frame->kind == FLAME_COMM && w->buf[from] == '#')
		w->buf[from] = '_';
	if (frame->inlined)
		writer__lit(w, "_[i]");
	else if (frame->kind == PROFILE_KERNEL)
		writer__lit(w, "_[k]");
	else if (frame->kind == PROFILE_JIT)
		writer__lit(w, "_[j]");
}

/* The line of a node; `path` has its ancestors. */
static void put_line(struct writer *w, const struct writer *path, __u64 count)
{
	writer__mem(w, path->buf, path->len);
	writer__char(w, ' ');
	writer__u64(w, count);
	writer__char(w, '\n');
}

/* Depth first. The path is cut back to what it was at each node's parent: mark[] by depth. */
static int put_tree(struct writer *w, const struct flame_tree *t, enum profile_weight weight)
{
	size_t *mark = calloc(t->n + 1, sizeof(*mark));
	struct writer path = { 0 };
	__u32 i = t->node[0].child;
	size_t depth = 0;

	if (!mark)
		return -ENOMEM;
	while (i != FLAME_NONE && !w->err && !path.err) {
		const struct flame_node *n = &t->node[i];
		const struct string *name = &t->names.v[n->name];

		path.len = mark[depth];
		if (path.len)
			writer__char(&path, ';');
		writer__mem(&path, name->text, name->len);
		if (n->self[weight])
			put_line(w, &path, n->self[weight]);
		if (n->child != FLAME_NONE) {
			mark[++depth] = path.len;
			i = n->child;
			continue;
		}
		while (i && t->node[i].next == FLAME_NONE) {
			i = t->node[i].parent;
			if (depth)
				depth--;
		}
		i = i ? t->node[i].next : FLAME_NONE;
	}
	free(mark);
	free(path.buf);
	return path.err;
}

int flame_folded__print(struct writer *w, const struct profile *p, const struct flame_opts *opts)
{
	struct flame_tree t;
	int err = flame_tree__build(&t, p, flame_folded__name, opts->weight);

	/* A stack of nothing, without a thread's name, is still counted. */
	if (!err && t.node[0].self[opts->weight]) {
		writer__lit(w, "[unknown] ");
		writer__u64(w, t.node[0].self[opts->weight]);
		writer__char(w, '\n');
	}
	if (!err)
		err = put_tree(w, &t, opts->weight);
	flame_tree__clear(&t);
	return err;
}
