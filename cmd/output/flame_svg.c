/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flame graph in one SVG file, without any other resource. What is drawn here can be looked at
 * where no script runs; flame_svg.js then fits it to the window and makes it move. Frames are
 * grouped by depth; each has its start and weight as exact numbers, and a title of lines: name,
 * object where it is known, figures.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/units.h"
#include "output/flame_impl.h"

#define WIDTH       1200
#define MARGIN      10
#define ROW         18
#define HEAD        70
#define FOOT        30
#define NARROW_PX   0.1
#define COLUMN_PX   7.3  /* of a 12-pixel monospaced font, a little more than most have */
#define NAME_BYTES  2048 /* that are shown of a name */
#define FIGURES_LEN 64

/* A file, named from the Makefile's directory, as a string. */
#define EMBED(name, file)                                                                    \
	__asm__(".section .rodata\n" #name ":\n.incbin \"" file "\"\n.byte 0\n.previous\n"); \
	extern const char name[] __attribute__((visibility("hidden")))

EMBED(flame_svg_script, "cmd/output/flame_svg.js");
EMBED(flame_svg_style, "cmd/output/flame_svg.css");

struct svg {
	struct writer *w;
	const struct flame_opts *opts;
	struct flame_tree tree;
	double scale; /* pixels of a unit of weight */
	struct drawn {
		__u32 node, depth;
		__u64 start;
	} * drawn;
	size_t ndrawn, drawn_room, narrow;
	__u32 depth;        /* rows */
	unsigned int kinds; /* that are drawn, as bits; the highest: inlined */
	struct writer scratch;
};

#define KIND_INLINED (FLAME_COMM + 1)

/* Frames of equal names in other objects are others: both are the node's name, a NUL between. */
static void svg_name(struct writer *w, const struct profile_frame *frame)
{
	flame_frame__name(w, frame);
	writer__char(w, '\0');
	if (frame->object && frame->kind != PROFILE_REGION && frame->kind != PROFILE_NOTE)
		writer__mem(w, frame->object, flame_object__len(frame->object));
}

/*
 * Bytes of the character at p that is not to be shown, of n: U+FFFE and U+FFFF, which XML 1.0 has not
 * got, and those that turn the text after them round (U+200E, U+200F, U+202A to U+202E, U+2066 to
 * U+2069). 0: it may be shown.
 */
static size_t unfit(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (n < 3)
		return 0;
	if (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe)
		return 3;
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae)))
		return 3;
	return p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

/* n raw bytes as text of an element or attribute, on one line, cut where they are too many. */
static void put_text(struct svg *s, const char *raw, size_t n)
{
	struct writer *x = &s->scratch;
	size_t i, shown = n > NAME_BYTES ? NAME_BYTES : n, skip;

	/* Not within a character: its other bytes would come out as no UTF-8. */
	while (shown < n && shown > NAME_BYTES - 4 && (raw[shown] & 0xc0) == 0x80)
		shown--;
	x->len = 0;
	writer__escaped(x, raw, shown);
	for (i = 0; i < x->len && !x->err; i += skip ? skip : 1) {
		skip = unfit(x->buf + i, x->len - i);
		if (skip)
			writer__lit(s->w, "\xef\xbf\xbd");
		else if (x->buf[i] == '&')
			writer__lit(s->w, "&amp;");
		else if (x->buf[i] == '<')
			writer__lit(s->w, "&lt;");
		else if (x->buf[i] == '>')
			writer__lit(s->w, "&gt;");
		else if (x->buf[i] == '"')
			writer__lit(s->w, "&quot;");
		else
			writer__char(s->w, x->buf[i]);
	}
	if (shown < n)
		writer__lit(s->w, "\xe2\x80\xa6");
	if (x->err && !s->w->err)
		s->w->err = x->err;
}

/* A weight in its unit: "1,234 faults", "4.0 KiB", "1.42 us". */
static const char *figure(char buf[FIGURES_LEN], enum profile_weight weight, __u64 v)
{
	char number[FMT_LEN];

	if (weight == PROFILE_BYTES)
		return fmt_bytes(buf, FIGURES_LEN, v);
	if (weight == PROFILE_STALL)
		return fmt_ns(buf, FIGURES_LEN, v);
	snprintf(buf, FIGURES_LEN, "%s %s", fmt_count(number, sizeof(number), v),
		 v == 1 ? "fault" : "faults");
	return buf;
}

/* ---- what is drawn ---- */

static int draw(struct svg *s, __u32 node, __u32 depth, __u64 start)
{
	struct drawn *more;
	size_t room = s->drawn_room ? 2 * s->drawn_room : 1024;
	const struct flame_node *n = &s->tree.node[node];

	if (s->ndrawn == s->drawn_room) {
		more = reallocarray(s->drawn, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->drawn = more;
		s->drawn_room = room;
	}
	s->drawn[s->ndrawn++] = (struct drawn){ node, depth, start };
	if (depth >= s->depth)
		s->depth = depth + 1;
	s->kinds |= 1U << (n->inlined ? KIND_INLINED : n->kind);
	return 0;
}

/*
 * Choose the nodes that are wide enough, a row after the other: the children of what was drawn, from
 * left to right, so that rows are in the order of their starts.
 */
static int choose(struct svg *s)
{
	size_t i;
	int err = draw(s, 0, 0, 0);

	for (i = 0; i < s->ndrawn && !err; i++) {
		struct drawn d = s->drawn[i];
		__u64 start = d.start;
		__u32 c;

		for (c = s->tree.node[d.node].child; c != FLAME_NONE && !err;
		     c = s->tree.node[c].next) {
			__u64 total = s->tree.node[c].total;

			if (total * s->scale >= NARROW_PX)
				err = draw(s, c, d.depth + 1, start);
			else if (total)
				s->narrow++;
			start = profile_sum(start, total);
		}
	}
	return err;
}

/* ---- drawing ---- */

/* Equal names have equal colours: the name's hash picks one of its kind's. */
static void put_colour(struct svg *s, const struct flame_node *n, const char *name)
{
	static const struct {
		char letter;
		unsigned int shades; /* 0: one without a number; as flame_svg.css has them */
	} colours[] = {
		[PROFILE_USER] = { 'u', 12 },    [PROFILE_KERNEL] = { 'k', 8 },
		[PROFILE_JIT] = { 'j', 8 },      [PROFILE_REGION] = { 'r', 4 },
		[PROFILE_NOTE] = { 'n', 0 },     [FLAME_ALL] = { 'a', 0 },
		[FLAME_COMM] = { 'c', 0 },       [KIND_INLINED] = { 'i', 8 },
		[KIND_INLINED + 1] = { 'x', 0 },
	};
	unsigned int kind = n->kind;

	if (n->inlined && kind != PROFILE_KERNEL)
		kind = KIND_INLINED;
	else if (kind == PROFILE_USER && name[0] == '[')
		kind = KIND_INLINED + 1;
	writer__char(s->w, colours[kind].letter);
	if (colours[kind].shades)
		writer__u64(s->w, hash_bytes(name, strlen(name)) % colours[kind].shades);
}

/* The name in the frame, for where no script runs: of printable ASCII only, cut to its width. */
static void put_label(struct svg *s, const char *name, double x, double width)
{
	size_t room = width > 7 ? (width - 7) / COLUMN_PX : 0, n = strlen(name), i;

	if (room < 3)
		return;
	for (i = 0; i < n && i < room; i++)
		if (name[i] < 0x20 || name[i] > 0x7e || name[i] == '\\')
			return;
	writer__fmt(s->w, "<text x=\"%.1f\" y=\"12.5\">", x + 4);
	put_text(s, name, n <= room ? n : room - 1);
	writer__str(s->w, n <= room ? "</text>" : "\xe2\x80\xa6</text>");
}

static void put_frame(struct svg *s, const struct drawn *d)
{
	const struct flame_node *n = &s->tree.node[d->node];
	const struct string *text = &s->tree.names.v[n->name];
	__u64 all = s->tree.node[0].total;
	double x = MARGIN + d->start * s->scale,
	       width = all ? n->total * s->scale : WIDTH - 2 * MARGIN;
	size_t len = strlen(text->text);
	char buf[FIGURES_LEN];

	writer__lit(s->w, "<g class=\"");
	put_colour(s, n, text->text);
	writer__fmt(s->w, "\" data-s=\"%llu\" data-w=\"%llu\"><title>",
		    (unsigned long long)d->start, (unsigned long long)n->total);
	put_text(s, text->text, len);
	if (len + 1 < text->len) {
		writer__char(s->w, '\n');
		put_text(s, text->text + len + 1, text->len - len - 1);
	}
	writer__fmt(s->w, "\n%s, %.2f%%</title><rect x=\"%.1f\" width=\"%.1f\" height=\"17\"/>",
		    figure(buf, s->opts->weight, n->total), all ? 100.0 * n->total / all : 0.0, x,
		    width > 3 ? width - 0.6 : width);
	put_label(s, text->text, x, width);
	writer__lit(s->w, "</g>\n");
}

static void put_rows(struct svg *s)
{
	size_t i;

	for (i = 0; i < s->ndrawn; i++) {
		__u32 depth = s->drawn[i].depth;

		if (!i || depth != s->drawn[i - 1].depth)
			writer__fmt(s->w, "%s<g class=\"row\" transform=\"translate(0,%u)\">\n",
				    i ? "</g>\n" : "",
				    HEAD + ROW * (s->opts->inverted ? depth :
								      s->depth - 1 - depth));
		put_frame(s, &s->drawn[i]);
	}
	writer__lit(s->w, "</g>\n");
}

/* The kinds of frames that there are, with their colours, from the right on. */
static void put_legend(struct svg *s)
{
	static const struct {
		unsigned int kind;
		const char *class, *name;
	} rows[] = {
		{ PROFILE_REGION, "r1", "region" }, { PROFILE_KERNEL, "k3", "kernel" },
		{ PROFILE_JIT, "j3", "JIT" },       { KIND_INLINED, "i4", "inlined" },
		{ PROFILE_USER, "u5", "user" },
	};
	size_t i;
	int x = 0;

	writer__fmt(s->w, "<g id=\"legend\" transform=\"translate(%d,0)\">\n", WIDTH - MARGIN);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(s->kinds & 1U << rows[i].kind))
			continue;
		/* The sans-serif font's columns are some 6.3 pixels. */
		x -= 32 + 63 * (int)strlen(rows[i].name) / 10;
		writer__fmt(s->w,
			    "<g class=\"%s\"><rect x=\"%d\" y=\"45\" width=\"11\" height=\"11\" "
			    "rx=\"2\"/><text x=\"%d\" y=\"55\">%s</text></g>\n",
			    rows[i].class, x + 14, x + 30, rows[i].name);
	}
	writer__lit(s->w, "</g>\n");
}

static void put_title(struct svg *s)
{
	const char *title = s->opts->title;

	if (!title || !*title)
		title = flame_units[s->opts->weight].title;
	put_text(s, title, strlen(title));
}

/* Title, and below it the total, what is missing and the command. */
static void put_head(struct svg *s)
{
	const struct flame_opts *opts = s->opts;
	const char *dot = " \xc2\xb7 ";
	char buf[FIGURES_LEN];

	writer__fmt(s->w, "<g id=\"head\" data-height=\"%d\">\n", HEAD);
	writer__fmt(s->w, "<rect class=\"page wide\" width=\"%d\" height=\"%d\"/>\n", WIDTH,
		    HEAD - 6);
	writer__fmt(s->w, "<text id=\"title\" x=\"%d\" y=\"29\">", MARGIN);
	put_title(s);
	writer__fmt(s->w, "</text>\n<text id=\"sub\" x=\"%d\" y=\"52\">", MARGIN);
	writer__str(s->w, figure(buf, opts->weight, s->tree.node[0].total));
	if (opts->duration_ns)
		writer__fmt(s->w, " in %s", fmt_ns(buf, sizeof(buf), opts->duration_ns));
	if (opts->lost)
		writer__fmt(s->w, "%s%s without a stack", dot,
			    figure(buf, PROFILE_FAULTS, opts->lost));
	if (s->narrow)
		writer__fmt(s->w, "%s%s frames too narrow to draw", dot,
			    fmt_count(buf, sizeof(buf), s->narrow));
	if (opts->command && *opts->command) {
		writer__str(s->w, dot);
		put_text(s, opts->command, strlen(opts->command));
	}
	writer__lit(s->w, "</text>\n");
	put_legend(s);
	writer__lit(s->w, "</g>\n");
}

static void put_foot(struct svg *s, unsigned int height)
{
	writer__fmt(s->w, "<g id=\"foot\" data-height=\"%d\" transform=\"translate(0,%u)\">\n",
		    FOOT, height - FOOT);
	writer__fmt(s->w, "<rect class=\"page wide\" width=\"%d\" height=\"%d\"/>\n", WIDTH, FOOT);
	writer__fmt(s->w,
		    "<text id=\"details\" x=\"%d\" y=\"19\" role=\"status\" aria-live=\"polite\">"
		    "Point at a frame for its figures, click to zoom.</text>\n",
		    MARGIN);
	writer__fmt(s->w, "<text id=\"matched\" x=\"%d\" y=\"19\" role=\"status\"></text>\n</g>\n",
		    WIDTH - MARGIN);
}

/* A file beside this one without its first line, which tells its licence. */
static void put_embedded(struct svg *s, const char *text)
{
	const char *eol = strchr(text, '\n');

	writer__lit(s->w, "<![CDATA[\n");
	writer__str(s->w, eol ? eol + 1 : text);
	writer__lit(s->w, "]]>");
}

static void put_svg(struct svg *s)
{
	unsigned int height = HEAD + ROW * s->depth + FOOT;

	writer__fmt(s->w,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" "
		    "height=\"%u\" viewBox=\"0 0 %d %u\" data-unit=\"%s\" data-inverted=\"%d\">\n"
		    "<title>",
		    WIDTH, height, WIDTH, height, flame_units[s->opts->weight].name,
		    s->opts->inverted);
	put_title(s);
	writer__lit(s->w, "</title>\n<style>");
	put_embedded(s, flame_svg_style);
	writer__fmt(s->w, "</style>\n<rect class=\"page wide\" width=\"%d\" height=\"100%%\"/>\n",
		    WIDTH);
	put_rows(s);
	put_head(s);
	put_foot(s, height);
	writer__lit(s->w, "<script>");
	put_embedded(s, flame_svg_script);
	writer__lit(s->w, "</script>\n</svg>\n");
}

int flame_svg__print(struct writer *w, const struct profile *p, const struct flame_opts *opts)
{
	struct svg s = { .w = w, .opts = opts };
	int err = flame_tree__build(&s.tree, p, svg_name, opts->weight);

	if (!err) {
		if (s.tree.node[0].total)
			s.scale = (double)(WIDTH - 2 * MARGIN) / s.tree.node[0].total;
		err = choose(&s);
	}
	if (!err)
		put_svg(&s);
	flame_tree__clear(&s.tree);
	free(s.drawn);
	free(s.scratch.buf);
	return err;
}
