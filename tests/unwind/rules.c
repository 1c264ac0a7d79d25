/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compares compiled rules with elfutils. For each address of the code of each FILE, or of this
 * process's own [vdso], both say where the CFA, the caller's frame pointer and its return address
 * are; both are computed with made-up registers and a made-up memory, and the results have to be
 * the same. The tables of the kernel side are filled on the way, and looked up. A line per file:
 *
 * FILE: addresses= bytes of code, equal= of them, lost= equal but for a frame pointer that the
 * rules cannot find, unsupported= by the rules, more= the rules say something where elfutils fails
 * (it takes no DW_CFA_restore in a CIE), different=; then rows, rules, words of the table, and how
 * long compiling took. Ends with 1 where something is different. -v prints what is unsupported,
 * different; -e asks elfutils of every address instead of once for each of its own ranges.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "symbol/cfi.h"
#include "symbol/tables.h"

#define MAX_WORDS   (64 << 20)
#define MAX_STACK   16
#define MAX_PRINTED 20

struct counts {
	unsigned long long addresses, equal, lost, unsupported, more, different;
};

struct comparison {
	const char *path;
	Dwarf_CFI *theirs;
	struct cfi *ours;
	struct unwind_tables *tables;
	struct fs_unwind_table table;
	struct counts counts;
	size_t row; /* the one that next_row() found */
	bool verbose, every;
	int printed;
};

/* ---- a machine that is made up ---------------------------------------------------------------- */

struct machine {
	unsigned int sp, fp, ra;
	__u64 ip, regs[33];
};

/* The caller's registers. */
struct caller {
	bool end, signal, fp_known;
	__u64 cfa, fp, ra;
};

static __u64 mix(__u64 v)
{
	v = (v ^ v >> 31) * 0x9e3779b97f4a7c15ULL;
	v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9ULL;
	return v ^ v >> 32;
}

/* Addresses beyond those in all registers. */
static __u64 memory(__u64 address)
{
	return 1ULL << 45 | (mix(address) & 0xffffffff8);
}

/* The stack is below of what registers point at: a frame's caller is never before it. */
static void machine__make(struct machine *m, __u16 machine, __u64 ip)
{
	bool x86 = machine == EM_X86_64;

	m->sp = x86 ? 7 : 31;
	m->fp = x86 ? 6 : 29;
	m->ra = x86 ? 16 : 30;
	m->ip = ip;
	for (size_t i = 0; i < 33; i++)
		m->regs[i] = 1ULL << 42 | (mix(i * 0x10001 + ip) & 0xffffffff8);
	m->regs[m->sp] = 1ULL << 41 | (mix(ip) & 0xffffffff8);
	if (x86)
		m->regs[16] = ip;
}

/* ---- our word: the step that the kernel side makes -------------------------------------------- */

static bool arm64;

static int read_memory(__u64 address, int n, __u64 *out)
{
	for (int i = 0; i < n; i++)
		out[i] = memory(address + 8 * i);
	return 0;
}

static int read_register(const struct machine *m, unsigned int number, __u64 *out)
{
	*out = m->regs[number];
	return 0;
}

#define FS_UNWIND_READ(walk, addr, n, out)    read_memory(addr, n, out)
#define FS_UNWIND_REGISTER(walk, number, out) read_register(walk, number, out)
#define FS_UNWIND_ARM64                       arm64
#include "unwind_step.h"

static bool our_caller(const struct fs_unwind_rule *rule, struct machine *m, struct caller *c)
{
	struct fs_unwind_regs r = {
		.ip = m->ip, .sp = m->regs[m->sp], .fp = m->regs[m->fp], .lr = m->regs[m->ra]
	};
	int end;

	*c = (struct caller){ .signal = rule->cfa == FS_CFA_SIGNAL,
			      .fp_known = rule->fp != FS_SAVED_LOST };
	if (rule->cfa == FS_CFA_NONE)
		return false;
	end = fs_unwind_by_rule(m, rule, &r, true);
	c->end = end == FS_STACK_COMPLETE;
	c->cfa = r.sp;
	c->fp = r.fp;
	c->ra = r.ip;
	return c->end || end == FS_STACK_END_NR;
}

/* ---- the word of elfutils --------------------------------------------------------------------- */

struct stack {
	size_t n;
	__u64 v[MAX_STACK];
	bool bad;
};

static void push(struct stack *s, __u64 v)
{
	if (s->n == MAX_STACK)
		s->bad = true;
	else
		s->v[s->n++] = v;
}

static __u64 pop(struct stack *s)
{
	if (s->n)
		return s->v[--s->n];
	s->bad = true;
	return 0;
}

static __u64 reg_of(struct stack *s, const struct machine *m, __u64 n)
{
	if (n < 33)
		return m->regs[n];
	s->bad = true;
	return 0;
}

static void operate(struct stack *s, const Dwarf_Op *op, const struct machine *m, __u64 cfa)
{
	__u64 a;

	switch (op->atom) {
	case DW_OP_lit0 ... DW_OP_lit31:
		push(s, op->atom - DW_OP_lit0);
		break;
	case DW_OP_breg0 ... DW_OP_breg31:
		push(s, reg_of(s, m, op->atom - DW_OP_breg0) + op->number);
		break;
	case DW_OP_bregx:
		push(s, reg_of(s, m, op->number) + op->number2);
		break;
	case DW_OP_const1u ... DW_OP_consts:
		push(s, op->number);
		break;
	case DW_OP_call_frame_cfa:
		push(s, cfa);
		break;
	case DW_OP_deref:
		push(s, memory(pop(s)));
		break;
	case DW_OP_plus_uconst:
		push(s, pop(s) + op->number);
		break;
	case DW_OP_plus:
		push(s, pop(s) + pop(s));
		break;
	case DW_OP_minus:
		a = pop(s);
		push(s, pop(s) - a);
		break;
	case DW_OP_and:
		push(s, pop(s) & pop(s));
		break;
	case DW_OP_shl:
		a = pop(s);
		push(s, pop(s) << (a & 63));
		break;
	case DW_OP_ge:
		a = pop(s);
		push(s, (__s64)pop(s) >= (__s64)a);
		break;
	case DW_OP_nop:
		break;
	default:
		s->bad = true;
	}
}

/* Value of the register or the CFA. False: not known. */
static bool evaluate(const Dwarf_Op *ops, size_t n, const struct machine *m, __u64 cfa,
		     bool is_place, __u64 *value)
{
	struct stack s = {};

	if (n == 1 && ops[0].atom == DW_OP_regx) {
		*value = reg_of(&s, m, ops[0].number);
		return !s.bad;
	}
	if (n == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) {
		*value = reg_of(&s, m, ops[0].atom - DW_OP_reg0);
		return !s.bad;
	}
	for (size_t i = 0; i < n; i++) {
		if (ops[i].atom == DW_OP_stack_value) {
			is_place = false;
			break;
		}
		operate(&s, &ops[i], m, cfa);
	}
	*value = pop(&s);
	if (is_place)
		*value = memory(*value);
	return !s.bad;
}

enum found {
	FOUND_UNDEFINED,
	FOUND_VALUE,
	FOUND_NOT_KNOWN,
};

static enum found their_register(Dwarf_Frame *frame, const struct machine *m, unsigned int reg,
				 __u64 cfa, __u64 *value)
{
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, mem, &ops, &n))
		return FOUND_NOT_KNOWN;
	if (!n && ops == mem)
		return FOUND_UNDEFINED;
	if (!n) {
		*value = m->regs[reg];
		return FOUND_VALUE;
	}
	return evaluate(ops, n, m, cfa, true, value) ? FOUND_VALUE : FOUND_NOT_KNOWN;
}

static bool their_caller(Dwarf_Frame *frame, const struct machine *m, bool signal, struct caller *c)
{
	Dwarf_Op *ops;
	size_t n;
	__u64 sp;
	enum found ra;

	*c = (struct caller){ .signal = signal };
	if (dwarf_frame_cfa(frame, &ops, &n) || !evaluate(ops, n, m, 0, false, &c->cfa))
		c->cfa = 0;
	ra = their_register(frame, m, m->ra, c->cfa, &c->ra);
	if (ra == FOUND_UNDEFINED) {
		*c = (struct caller){ .end = true };
		return true;
	}
	c->fp_known = their_register(frame, m, m->fp, c->cfa, &c->fp) == FOUND_VALUE;
	if (their_register(frame, m, m->sp, c->cfa, &sp) == FOUND_VALUE && sp != c->cfa)
		return false;
	return ra == FOUND_VALUE && c->cfa;
}

/* ---- both ------------------------------------------------------------------------------------- */

static void print_ops(const char *what, const Dwarf_Op *ops, size_t n)
{
	printf(" %s[", what);
	for (size_t i = 0; i < n; i++)
		printf("%s%#x:%lld", i ? " " : "", ops[i].atom, (long long)ops[i].number);
	printf("]");
}

static void print_place(struct comparison *c, const char *why, __u64 vaddr, Dwarf_Frame *frame,
			const struct fs_unwind_rule *rule)
{
	static const char *const regs[] = { "fp", "ra", "sp" };
	const unsigned int x86[] = { 6, 16, 7 }, arm64[] = { 29, 30, 31 };
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (!c->verbose || c->printed++ >= MAX_PRINTED)
		return;
	printf("  %s at %#llx: cfa=%u+%d arg=%u fp=%u+%d ra=%u+%d;", why, vaddr, rule->cfa,
	       rule->cfa_offset, rule->arg, rule->fp, rule->fp_offset, rule->ra, rule->ra_offset);
	if (frame && !dwarf_frame_cfa(frame, &ops, &n))
		print_ops("cfa", ops, n);
	for (size_t i = 0; frame && i < 3; i++)
		if (!dwarf_frame_register(frame, c->ours->machine == EM_X86_64 ? x86[i] : arm64[i],
					  mem, &ops, &n))
			print_ops(n || ops ? regs[i] : "same", ops, n);
	printf("\n");
}

static bool same_caller(const struct caller *a, const struct caller *b)
{
	if (a->end || b->end)
		return a->end && b->end;
	return a->cfa == b->cfa && a->ra == b->ra && a->signal == b->signal &&
	       a->fp_known == b->fp_known && (!a->fp_known || a->fp == b->fp);
}

/* What elfutils says of some addresses. */
struct their {
	Dwarf_Frame *frame; /* NULL: nothing */
	bool signal;
	int ra;     /* number of the register that holds the return address */
	__u64 bias; /* address less offset in the file */
};

/* One address. */
static const char *compare_at(struct comparison *c, __u64 vaddr, const struct their *their,
			      const struct fs_unwind_rule *rule)
{
	struct caller ours, theirs;
	struct machine m;

	machine__make(&m, c->ours->machine, vaddr);
	if (!their->frame)
		return rule->cfa == FS_CFA_NONE || rule->cfa == FS_CFA_UNSUPPORTED ? "equal" :
										     "more";
	if (rule->cfa == FS_CFA_UNSUPPORTED)
		return "unsupported";
	m.ra = their->ra;
	if (!our_caller(rule, &m, &ours) || !their_caller(their->frame, &m, their->signal, &theirs))
		return "different";
	if (!ours.end && !ours.fp_known && theirs.fp_known) {
		theirs.fp_known = false;
		return same_caller(&ours, &theirs) ? "lost frame pointer" : "different";
	}
	return same_caller(&ours, &theirs) ? "equal" : "different";
}

static void count(struct comparison *c, const char *word, __u64 n)
{
	struct counts *k = &c->counts;

	k->addresses += n;
	*(*word == 'e' ? &k->equal :
	  *word == 'l' ? &k->lost :
	  *word == 'u' ? &k->unsupported :
	  *word == 'm' ? &k->more :
			 &k->different) += n;
}

/* One address, and the packed tables too. */
static const char *compare_all(struct comparison *c, __u64 vaddr, const struct their *their)
{
	const struct fs_unwind_rule *rule = cfi__rule(c->ours, vaddr - their->bias);
	const struct fs_unwind_rule *packed =
		unwind_tables__rule(c->tables, &c->table, vaddr - their->bias);
	const char *word = compare_at(c, vaddr, their, rule);

	if (memcmp(rule, packed, sizeof(*rule)))
		word = "different in the tables";
	if (*word != 'e')
		print_place(c, word, vaddr, their->frame, rule);
	return word;
}

/* Where our next row begins, which is behind `vaddr`. */
static __u64 next_row(struct comparison *c, __u64 vaddr, __u64 bias)
{
	const struct cfi *cfi = c->ours;

	if (c->row && cfi->rows[c->row - 1].offset > vaddr - bias)
		c->row = 0; /* segments need not be in order */
	while (c->row < cfi->nrows && cfi->rows[c->row].offset <= vaddr - bias)
		c->row++;
	return c->row < cfi->nrows ? cfi->rows[c->row].offset + bias : UINT64_MAX;
}

/*
 * Addresses [from, to), for all of which elfutils says the same: the first and the last one of each
 * of our rows, or every one.
 */
static void compare_range(struct comparison *c, __u64 from, __u64 to, const struct their *their)
{
	while (from < to) {
		__u64 end = next_row(c, from, their->bias);
		bool each = c->every || cfi__rule(c->ours, from - their->bias)->cfa == FS_CFA_PLT;
		const char *word = compare_all(c, from, their);

		end = each ? from + 1 : end < to ? end : to;
		if (end - from > 1 && *compare_all(c, end - 1, their) != *word)
			word = "different at its end";
		count(c, word, end - from);
		from = end;
	}
}

static void compare_segment(struct comparison *c, const GElf_Phdr *p)
{
	__u64 at = p->p_vaddr, end = p->p_vaddr + p->p_filesz;

	while (at < end) {
		struct their their = { .bias = p->p_vaddr - p->p_offset };
		Dwarf_Addr from, to = at + 1;

		if (!dwarf_cfi_addrframe(c->theirs, at, &their.frame)) {
			their.ra = dwarf_frame_info(their.frame, &from, &to, &their.signal);
			if (c->every || to <= at)
				to = at + 1;
		} else {
			their.frame = NULL;
		}
		to = to < end ? to : end;
		compare_range(c, at, to, &their);
		free(their.frame);
		at = to;
	}
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void compare_elf(struct comparison *c, Elf *elf)
{
	size_t n = 0;
	GElf_Phdr p;

	elf_getphdrnum(elf, &n);
	for (size_t i = 0; i < n; i++)
		if (gelf_getphdr(elf, i, &p) && p.p_type == PT_LOAD && (p.p_flags & PF_X))
			compare_segment(c, &p);
}

/* What a file, or this process's own vdso, is read as by both. False: that cannot be done. */
static bool read_both(struct comparison *c, Elf **elf, double *ms)
{
	bool vdso = !strcmp(c->path, "[vdso]");
	Elf64_Ehdr *image = vdso ? (void *)getauxval(AT_SYSINFO_EHDR) : NULL;
	/* Its section headers are its end */
	size_t size = image ? image->e_shoff + image->e_shnum * image->e_shentsize : 0;
	int fd = vdso ? -1 : open(c->path, O_RDONLY | O_CLOEXEC);
	double begun = now_ms();

	c->ours = vdso ? cfi__read_image(image, size) : cfi__read(fd);
	*ms = now_ms() - begun;
	if (!c->ours)
		printf("%s: ours: %s\n", c->path, strerror(errno));
	*elf = vdso ? elf_memory((char *)image, size) : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	c->theirs = *elf ? dwarf_getcfi_elf(*elf) : NULL;
	if (!c->theirs)
		printf("%s: theirs: %s\n", c->path, dwarf_errmsg(-1));
	/* The mapping stays */
	if (fd >= 0)
		close(fd);
	return c->ours && c->theirs;
}

/* 0, 1 where something is different, 2 where a file cannot be read */
static int compare_file(struct comparison *c)
{
	const struct counts *k = &c->counts;
	struct unwind_tables_stat before, after;
	int status = 2, err;
	Elf *elf = NULL;
	double ms;

	if (!read_both(c, &elf, &ms))
		goto out;
	unwind_tables__stat(c->tables, &before);
	err = unwind_tables__add(c->tables, c->ours, &c->table);
	unwind_tables__stat(c->tables, &after);
	if (err) {
		printf("%s: tables: %s\n", c->path, strerror(-err));
		goto out;
	}
	arm64 = c->ours->machine == EM_AARCH64;
	compare_elf(c, elf);
	printf("%s: addresses=%llu equal=%llu lost=%llu unsupported=%llu more=%llu different=%llu ",
	       c->path, k->addresses, k->equal, k->lost, k->unsupported, k->more, k->different);
	printf("rows=%zu rules=%zu words=%zu compile_ms=%.2f\n", c->ours->nrows, c->ours->nrules,
	       after.words - before.words, ms);
	status = k->different ? 1 : 0;
out:
	fflush(stdout);
	dwarf_cfi_end(c->theirs);
	elf_end(elf);
	cfi__free(c->ours);
	return status;
}

int main(int argc, char **argv)
{
	static struct fs_unwind_rule rules[FS_UNWIND_MAX_RULES];
	__u32 *words = malloc(MAX_WORDS * sizeof(*words));
	struct unwind_tables_stat stat;
	struct unwind_tables *tables;
	struct comparison options = {};
	int opt, status = 0;

	while ((opt = getopt(argc, argv, "ve")) != -1) {
		if (opt == '?')
			return 2;
		*(opt == 'v' ? &options.verbose : &options.every) = true;
	}
	elf_version(EV_CURRENT);
	tables = words ? unwind_tables__new(words, MAX_WORDS, rules, FS_UNWIND_MAX_RULES) : NULL;
	if (!tables)
		return 2;
	for (int i = optind; i < argc; i++) {
		struct comparison c = options;
		int one;

		c.path = argv[i];
		c.tables = tables;
		one = compare_file(&c);
		status = one > status ? one : status;
	}
	unwind_tables__stat(tables, &stat);
	printf("tables=%zu words=%zu rules=%zu\n", stat.tables, stat.words, stat.rules);
	unwind_tables__free(tables);
	free(words);
	return status;
}
