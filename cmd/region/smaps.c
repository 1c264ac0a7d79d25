/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "region/smaps.h"

/* A line "Name: value" or "Name: value kB", and the __u64 in a struct that it is for. */
struct field {
	const char *name;
	size_t offset;
};

struct fields {
	const struct field *v;
	size_t n;
	size_t next; /* where the next line's is looked for first: they come in the table's order */
};

/* clang-format off */
#define VMA(member) offsetof(struct smaps_vma, member)
static const struct field vma_fields[] = {
	{ "Size", VMA(size) },
	{ "KernelPageSize", VMA(kernel_page_size) },
	{ "MMUPageSize", VMA(mmu_page_size) },
	{ "Rss", VMA(rss) },
	{ "Pss", VMA(pss) },
	{ "Pss_Dirty", VMA(pss_dirty) },
	{ "Shared_Clean", VMA(shared_clean) },
	{ "Shared_Dirty", VMA(shared_dirty) },
	{ "Private_Clean", VMA(private_clean) },
	{ "Private_Dirty", VMA(private_dirty) },
	{ "Referenced", VMA(referenced) },
	{ "Anonymous", VMA(anonymous) },
	{ "KSM", VMA(ksm) },
	{ "LazyFree", VMA(lazyfree) },
	{ "AnonHugePages", VMA(anon_huge) },
	{ "ShmemPmdMapped", VMA(shmem_pmd) },
	{ "FilePmdMapped", VMA(file_pmd) },
	{ "Shared_Hugetlb", VMA(shared_hugetlb) },
	{ "Private_Hugetlb", VMA(private_hugetlb) },
	{ "Swap", VMA(swap) },
	{ "SwapPss", VMA(swap_pss) },
	{ "Locked", VMA(locked) },
	{ "THPeligible", VMA(thp_eligible) },
};

#define STATUS(member) offsetof(struct status_mem, member)
static const struct field status_fields[] = {
	{ "VmPeak", STATUS(vm_peak) },
	{ "VmSize", STATUS(vm_size) },
	{ "VmLck", STATUS(vm_lck) },
	{ "VmPin", STATUS(vm_pin) },
	{ "VmHWM", STATUS(vm_hwm) },
	{ "VmRSS", STATUS(vm_rss) },
	{ "RssAnon", STATUS(rss_anon) },
	{ "RssFile", STATUS(rss_file) },
	{ "RssShmem", STATUS(rss_shmem) },
	{ "VmData", STATUS(vm_data) },
	{ "VmStk", STATUS(vm_stk) },
	{ "VmExe", STATUS(vm_exe) },
	{ "VmLib", STATUS(vm_lib) },
	{ "VmPTE", STATUS(vm_pte) },
	{ "VmSwap", STATUS(vm_swap) },
	{ "HugetlbPages", STATUS(hugetlb) },
	{ "Threads", STATUS(threads) },
};
/* clang-format on */

#define FIELDS(table)                                      \
	{                                                  \
		table, sizeof(table) / sizeof(*(table)), 0 \
	}

/* NULL: the table has no such name. */
static const struct field *find_field(struct fields *f, const char *name, size_t len)
{
	for (size_t i = 0; i < f->n; i++) {
		size_t at = (f->next + i) % f->n;

		if (!strncmp(f->v[at].name, name, len) && !f->v[at].name[len]) {
			f->next = at + 1;
			return &f->v[at];
		}
	}
	return NULL;
}

/* Set the field of a struct that a line tells. Was it one? */
static bool set_field(struct fields *f, void *of, const char *line)
{
	const char *colon = strchr(line, ':');
	const struct field *field = colon ? find_field(f, line, colon - line) : NULL;
	unsigned long long v;
	char *end;

	if (!field)
		return false;
	errno = 0;
	v = strtoull(colon + 1, &end, 10);
	if (errno || end == colon + 1)
		return false;
	*(__u64 *)((char *)of + field->offset) = strncmp(end, " kB", 3) ? v : v << 10;
	return true;
}

/* As many whole flags as there is room for. */
static void set_flags(struct smaps_vma *v, const char *text)
{
	size_t n = 0, len;

	for (text += strspn(text, " "); (len = strcspn(text, " \n")); text += strspn(text, " ")) {
		if (n + len + 2 > sizeof(v->flags))
			break;
		if (n)
			v->flags[n++] = ' ';
		memcpy(v->flags + n, text, len);
		n += len;
		text += len;
	}
	v->flags[n] = '\0';
}

bool smaps__has_flag(const struct smaps_vma *v, const char *flag)
{
	size_t len = strlen(flag);

	for (const char *at = v->flags; (at = strstr(at, flag)); at++)
		if ((at == v->flags || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* cut: what to return where the text ends in the middle of a line */
static int parse(FILE *f, int (*fn)(void *ctx, const struct smaps_vma *v), void *ctx, int cut)
{
	struct fields fields = FIELDS(vma_fields);
	char *line = NULL, *head = NULL, *other; /* head: that of v, which its name points into */
	size_t size = 0, head_size = 0, other_size;
	struct smaps_vma v = {};
	struct proc_map map;
	bool have = false;
	ssize_t len;
	int err = 0;

	while (!err && (errno = 0, len = getline(&line, &size, f)) > 0) {
		if (line[len - 1] != '\n') {
			err = proc__stream_error(f);
			err = err ? err : cut;
		} else if (!strncmp(line, "VmFlags:", 8)) {
			set_flags(&v, line + 8);
		} else if (!set_field(&fields, &v, line) && !proc__parse_map(line, &map)) {
			err = have ? fn(ctx, &v) : 0;
			v = (struct smaps_vma){ .map = map };
			have = true;
			other = head, head = line, line = other;
			other_size = head_size, head_size = size, size = other_size;
		}
	}
	if (!err)
		err = proc__stream_error(f);
	if (!err && have)
		err = fn(ctx, &v);
	free(line);
	free(head);
	return err;
}

int smaps__parse(FILE *f, int (*fn)(void *ctx, const struct smaps_vma *v), void *ctx)
{
	return parse(f, fn, ctx, -ENODATA);
}

/*
 * The text just ends where the memory goes, be it by exit or execve(2): then its beginning is not to
 * be had any more either.
 */
static int check_alive(FILE *f)
{
	errno = 0;
	rewind(f);
	if (fgetc(f) != EOF)
		return 0;
	return ferror(f) ? proc__stream_error(f) : -ESRCH;
}

int smaps__read(__u32 pid, int (*fn)(void *ctx, const struct smaps_vma *v), void *ctx)
{
	FILE *f;
	int err = proc__stream(pid, "smaps", &f);

	if (err)
		return err;
	err = parse(f, fn, ctx, -ESRCH);
	if (!err)
		err = check_alive(f);
	fclose(f);
	return err;
}

int status__parse(FILE *f, struct status_mem *m)
{
	struct fields fields = FIELDS(status_fields);
	bool have = false;
	char *line = NULL;
	size_t size = 0;
	int err;

	*m = (struct status_mem){};
	while (errno = 0, getline(&line, &size, f) > 0)
		have |= set_field(&fields, m, line);
	err = proc__stream_error(f);
	free(line);
	return err || have ? err : -ENODATA;
}

int status__read(__u32 pid, struct status_mem *m)
{
	FILE *f;
	int err = proc__stream(pid, "status", &f);

	if (err)
		return err;
	err = status__parse(f, m);
	fclose(f);
	return err;
}

int status__max_map_count(__u64 *n)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long long v;
	int err = 0;

	if (!f)
		return -errno;
	if (fscanf(f, "%llu", &v) == 1)
		*n = v;
	else
		err = -EINVAL;
	fclose(f);
	return err;
}
