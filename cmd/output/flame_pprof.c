/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The profile.proto of github.com/google/pprof, gzip'd. Sample types are the weights that are known;
 * a location is a function with those inlined into it; its address points into the call, as that
 * file asks for: a return address minus one.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "output/flame_impl.h"
#include "output/protobuf.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE,
	PROFILE_MAPPING,
	PROFILE_LOCATION,
	PROFILE_FUNCTION,
	PROFILE_STRING_TABLE,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_COMMENT,
	PROFILE_DEFAULT_SAMPLE_TYPE
};
enum { VALUE_TYPE = 1, VALUE_UNIT };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STR, LABEL_NUM };
enum {
	MAPPING_ID = 1,
	MAPPING_START,
	MAPPING_LIMIT,
	MAPPING_OFFSET,
	MAPPING_FILENAME,
	MAPPING_BUILD_ID,
	MAPPING_HAS_FUNCTIONS,
	MAPPING_HAS_FILENAMES,
	MAPPING_HAS_LINE_NUMBERS,
	MAPPING_HAS_INLINE_FRAMES
};
enum { LOCATION_ID = 1, LOCATION_MAPPING_ID, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION_ID = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILENAME };

/* What frames have shown of a mapping. */
struct seen {
	bool functions, filenames, lines, inlines;
};

struct pprof {
	struct writer *w;
	const struct profile *p;
	const struct flame_opts *opts;
	struct strings strings; /* the string table */
	struct idlists
		locations; /* of frames: the inlined ones from the leaf on, then their function */
	struct idlists functions; /* name, source file */
	struct idlists objects;   /* of frames without a mapping: the object's name */
	struct seen *seen;        /* by mapping, 1 to n, then objects */
	size_t nseen;
	struct writer message, part; /* scratch */
	__u32 *group, *ids;          /* scratch, as long as the longest stack */
	int err;
};

static void fail(struct pprof *pp, int err)
{
	if (!pp->err)
		pp->err = err;
}

/* Number in the table of n raw bytes. pprof prints strings as they are, and protobuf wants UTF-8. */
static __u32 text_of(struct pprof *pp, const char *raw, size_t n)
{
	struct writer text = { 0 };
	__u32 id = 0;

	if (!n)
		return 0;
	writer__no_controls(&text, raw, n);
	fail(pp, text.err);
	if (!pp->err)
		fail(pp, strings__add(&pp->strings, text.buf, text.len, &id));
	free(text.buf);
	return id;
}

static __u32 string_of(struct pprof *pp, const char *raw)
{
	return raw ? text_of(pp, raw, strlen(raw)) : 0;
}

static __u32 object_of(struct pprof *pp, const char *raw)
{
	return raw ? text_of(pp, raw, flame_object__len(raw)) : 0;
}

/* A list's number plus one, as pprof counts. */
static __u64 list_of(struct pprof *pp, struct idlists *lists, const __u32 *ids, size_t n)
{
	__u32 id = 0;

	fail(pp, idlists__add(lists, ids, n, &id));
	return (__u64)id + 1;
}

static void put_value_type(struct pprof *pp, unsigned int field, enum profile_weight weight)
{
	protobuf__u64(&pp->message, VALUE_TYPE, string_of(pp, flame_units[weight].name));
	protobuf__u64(&pp->message, VALUE_UNIT, string_of(pp, flame_units[weight].pprof));
	protobuf__message(pp->w, field, &pp->message);
}

static void put_label(struct pprof *pp, const char *key, const char *str, __u64 num)
{
	if ((!str || !*str) && !num)
		return;
	protobuf__u64(&pp->part, LABEL_KEY, string_of(pp, key));
	protobuf__u64(&pp->part, LABEL_STR, string_of(pp, str));
	protobuf__u64(&pp->part, LABEL_NUM, num);
	protobuf__message(&pp->message, SAMPLE_LABEL, &pp->part);
}

/* Locations of a stack, leaf first, into pp->ids. Returns how many. */
static size_t locations_of(struct pprof *pp, const __u32 *stack, size_t n)
{
	size_t nids = 0, in_group = 0;

	while (n-- > 0) {
		const struct profile_frame *f = profile__frame(pp->p, stack[n]);

		pp->group[in_group++] = stack[n];
		/* An inlined frame is of the location of the next one, if that is there. */
		if (f->inlined && n && profile__frame(pp->p, stack[n - 1])->address == f->address)
			continue;
		pp->ids[nids++] = list_of(pp, &pp->locations, pp->group, in_group);
		in_group = 0;
	}
	return nids;
}

static void put_sample(struct pprof *pp, const struct profile_cell *cell)
{
	const struct profile_labels *l = &cell->labels;
	size_t n, nids, i;
	const __u32 *stack = profile__stack(pp->p, cell->stack, &n);
	__u64 any = 0;

	for (i = 0; i < PROFILE_WEIGHT_NR; i++)
		if (pp->opts->known & FLAME_KNOWS(i))
			any |= cell->weights.w[i];
	if (!any)
		return;
	nids = locations_of(pp, stack, n);
	for (i = 0; i < nids; i++)
		protobuf__varint(&pp->part, pp->ids[i]);
	if (nids)
		protobuf__message(&pp->message, SAMPLE_LOCATION_ID, &pp->part);
	for (i = 0; i < PROFILE_WEIGHT_NR; i++)
		if (pp->opts->known & FLAME_KNOWS(i))
			protobuf__varint(&pp->part, cell->weights.w[i] >> 63 ? (__u64)-1 >> 1 :
									       cell->weights.w[i]);
	protobuf__message(&pp->message, SAMPLE_VALUE, &pp->part);
	put_label(pp, "comm", l->comm, 0);
	put_label(pp, "region", l->region, 0);
	put_label(pp, "class", l->class, 0);
	put_label(pp, "access", l->access, 0);
	put_label(pp, "result", l->result, 0);
	put_label(pp, "pid", NULL, l->pid);
	put_label(pp, "tid", NULL, l->tid);
	protobuf__message(pp->w, PROFILE_SAMPLE, &pp->message);
}

/* The mapping of a frame's location; objects that no mapping is known of have one each. 0: none. */
static __u64 mapping_of(struct pprof *pp, const struct profile_frame *f)
{
	__u32 object;

	if (f->mapping)
		return f->mapping;
	if (!f->object || !*f->object || f->kind == PROFILE_REGION || f->kind == PROFILE_NOTE)
		return 0;
	object = object_of(pp, f->object);
	return profile__nmappings(pp->p) + list_of(pp, &pp->objects, &object, 1);
}

static struct seen *seen_of(struct pprof *pp, __u64 mapping)
{
	size_t n = pp->nseen ? pp->nseen : 64;
	struct seen *more;

	while (n <= mapping)
		n *= 2;
	if (n > pp->nseen) {
		more = reallocarray(pp->seen, n, sizeof(*more));
		if (!more) {
			fail(pp, -ENOMEM);
			return NULL;
		}
		memset(more + pp->nseen, 0, (n - pp->nseen) * sizeof(*more));
		pp->seen = more;
		pp->nseen = n;
	}
	return &pp->seen[mapping];
}

static void put_line(struct pprof *pp, const struct profile_frame *f, struct seen *seen)
{
	__u32 function[2] = { string_of(pp, f->name), string_of(pp, f->src) };

	/* Of what has no name nothing is said: pprof then shows the mapping's. */
	if (!function[0])
		return;
	protobuf__u64(&pp->part, LINE_FUNCTION_ID, list_of(pp, &pp->functions, function, 2));
	protobuf__u64(&pp->part, LINE_LINE, f->line);
	protobuf__message(&pp->message, LOCATION_LINE, &pp->part);
	seen->functions = true;
	seen->filenames |= function[1] != 0;
	seen->lines |= f->line != 0;
	seen->inlines |= f->inlined;
}

static void put_locations(struct pprof *pp)
{
	size_t i, k, n;

	for (i = 0; i < pp->locations.n && !pp->err; i++) {
		const __u32 *frames = idlists__get(&pp->locations, i, &n);
		const struct profile_frame *last = profile__frame(pp->p, frames[n - 1]);
		__u64 mapping = mapping_of(pp, last);
		struct seen *seen = seen_of(pp, mapping);

		protobuf__u64(&pp->message, LOCATION_ID, i + 1);
		protobuf__u64(&pp->message, LOCATION_MAPPING_ID, mapping);
		protobuf__u64(&pp->message, LOCATION_ADDRESS,
			      last->address - (last->is_return && last->address));
		for (k = 0; k < n && seen; k++)
			put_line(pp, profile__frame(pp->p, frames[k]), seen);
		protobuf__message(pp->w, PROFILE_LOCATION, &pp->message);
	}
}

static void put_functions(struct pprof *pp)
{
	size_t i, n;

	for (i = 0; i < pp->functions.n; i++) {
		const __u32 *strings = idlists__get(&pp->functions, i, &n);

		protobuf__u64(&pp->message, FUNCTION_ID, i + 1);
		protobuf__u64(&pp->message, FUNCTION_NAME, strings[0]);
		protobuf__u64(&pp->message, FUNCTION_SYSTEM_NAME, strings[0]);
		protobuf__u64(&pp->message, FUNCTION_FILENAME, strings[1]);
		protobuf__message(pp->w, PROFILE_FUNCTION, &pp->message);
	}
}

static void put_mapping(struct pprof *pp, __u64 id, const struct profile_mapping *m, __u32 object)
{
	const struct seen *seen = seen_of(pp, id);

	if (!seen)
		return;
	protobuf__u64(&pp->message, MAPPING_ID, id);
	protobuf__u64(&pp->message, MAPPING_START, m->start);
	protobuf__u64(&pp->message, MAPPING_LIMIT, m->limit);
	protobuf__u64(&pp->message, MAPPING_OFFSET, m->file_offset);
	protobuf__u64(&pp->message, MAPPING_FILENAME, object);
	protobuf__u64(&pp->message, MAPPING_BUILD_ID, string_of(pp, m->build_id));
	protobuf__u64(&pp->message, MAPPING_HAS_FUNCTIONS, seen->functions);
	protobuf__u64(&pp->message, MAPPING_HAS_FILENAMES, seen->filenames);
	protobuf__u64(&pp->message, MAPPING_HAS_LINE_NUMBERS, seen->lines);
	protobuf__u64(&pp->message, MAPPING_HAS_INLINE_FRAMES, seen->inlines);
	protobuf__message(pp->w, PROFILE_MAPPING, &pp->message);
}

static void put_mappings(struct pprof *pp)
{
	const struct profile_mapping none = { 0 };
	size_t nmappings = profile__nmappings(pp->p), i, n;

	for (i = 1; i <= nmappings; i++) {
		const struct profile_mapping *m = profile__mapping(pp->p, i);

		put_mapping(pp, i, m, object_of(pp, m->object));
	}
	for (i = 0; i < pp->objects.n; i++)
		put_mapping(pp, nmappings + i + 1, &none, *idlists__get(&pp->objects, i, &n));
}

static void put_head(struct pprof *pp)
{
	const struct flame_opts *opts = pp->opts;
	char lost[64];
	int i;

	for (i = 0; i < PROFILE_WEIGHT_NR; i++)
		if (opts->known & FLAME_KNOWS(i))
			put_value_type(pp, PROFILE_SAMPLE_TYPE, i);
	put_value_type(pp, PROFILE_PERIOD_TYPE, PROFILE_FAULTS);
	protobuf__u64(pp->w, PROFILE_PERIOD, 1);
	protobuf__u64(pp->w, PROFILE_TIME_NANOS, opts->wall_ns);
	protobuf__u64(pp->w, PROFILE_DURATION_NANOS, opts->duration_ns);
	protobuf__u64(pp->w, PROFILE_DEFAULT_SAMPLE_TYPE,
		      string_of(pp, flame_units[opts->weight].name));
	if (opts->title && *opts->title)
		protobuf__u64(pp->w, PROFILE_COMMENT, string_of(pp, opts->title));
	if (opts->command && *opts->command)
		protobuf__u64(pp->w, PROFILE_COMMENT, string_of(pp, opts->command));
	if (opts->lost) {
		snprintf(lost, sizeof(lost), "%llu faults without a stack",
			 (unsigned long long)opts->lost);
		protobuf__u64(pp->w, PROFILE_COMMENT, string_of(pp, lost));
	}
}

/* All messages; the string table last, when all strings are known. */
static void put_all(struct pprof *pp)
{
	size_t i;

	put_head(pp);
	for (i = 0; i < profile__ncells(pp->p) && !pp->err; i++)
		put_sample(pp, profile__cell(pp->p, i));
	put_locations(pp);
	put_functions(pp);
	put_mappings(pp);
	for (i = 0; i < pp->strings.n; i++)
		protobuf__bytes(pp->w, PROFILE_STRING_TABLE, pp->strings.v[i].text,
				pp->strings.v[i].len);
	fail(pp, pp->w->err);
	fail(pp, pp->message.err);
	fail(pp, pp->part.err);
}

static int put_gzip(struct writer *w, const struct writer *message)
{
	z_stream z = { 0 };
	size_t left = message->len;
	char *room;
	int ret;

	/* 16: with gzip's header and end. */
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z.next_in = (unsigned char *)message->buf;
	do {
		if (!z.avail_in) {
			z.avail_in = left < 1 << 30 ? left : 1 << 30;
			left -= z.avail_in;
		}
		room = writer__room(w, 32768);
		if (!room)
			break;
		z.next_out = (unsigned char *)room;
		z.avail_out = 32768;
		ret = deflate(&z, left ? Z_NO_FLUSH : Z_FINISH);
		w->len += 32768 - z.avail_out;
	} while (ret != Z_STREAM_END);
	deflateEnd(&z);
	return w->err;
}

static size_t longest_stack(const struct profile *p)
{
	size_t longest = 0, i, n;

	for (i = 0; i < profile__nstacks(p); i++) {
		profile__stack(p, i, &n);
		longest = n > longest ? n : longest;
	}
	return longest;
}

int flame_pprof__print(struct writer *w, const struct profile *p, const struct flame_opts *opts)
{
	struct flame_opts all = *opts;
	struct writer whole = { 0 };
	struct pprof pp = { .w = &whole, .p = p, .opts = &all };
	size_t longest = longest_stack(p) + 1;
	__u32 empty;

	all.known |= FLAME_KNOWS(opts->weight);
	pp.group = calloc(longest, sizeof(*pp.group));
	pp.ids = calloc(longest, sizeof(*pp.ids));
	if (!pp.group || !pp.ids)
		fail(&pp, -ENOMEM);
	else
		fail(&pp, strings__add(&pp.strings, "", 0, &empty)); /* number 0, as pprof wants */
	if (!pp.err)
		put_all(&pp);
	if (!pp.err)
		fail(&pp, put_gzip(w, &whole));
	strings__clear(&pp.strings);
	idlists__clear(&pp.locations);
	idlists__clear(&pp.functions);
	idlists__clear(&pp.objects);
	free(pp.seen);
	free(pp.message.buf);
	free(pp.part.buf);
	free(pp.group);
	free(pp.ids);
	free(whole.buf);
	return pp.err;
}
