/* SPDX-License-Identifier: GPL-2.0-only */
/* Call frame instructions: DWARF 5, 6.4.2, and those of GNU and Arm. */
#include <dwarf.h>
#include <elf.h>
#include <errno.h>

#include "base/memory.h"
#include "symbol/cfi_impl.h"

#define MAX_ROWS (8 << 20)
/* Compilers remember one state, at times two. */
#define MAX_REMEMBERED 8
/* gcc 15 and LLVM 20: as 0x2d, with another key to the same address. */
#define CFA_AARCH64_NEGATE_RA_STATE_WITH_PC 0x2c

struct run {
	struct bytes b;
	const struct cfi_cie *cie;
	struct cfi_state state;
	size_t nremembered;
	struct cfi_state remembered[MAX_REMEMBERED];

	/* Of an FDE only; a CIE has no rows */
	struct cfi_rows *rows;
	const struct cfi_object *object;
	__u64 loc, from, end; /* offsets in the file */
	bool changed;         /* the state is not that of the last row */
	int err;
};

int cfi_rows__add(struct cfi_rows *rows, __u64 offset, const struct fs_unwind_rule *rule)
{
	struct cfi_row *last, *v;
	int id;

	/* Counted are those too that others replace: what is corrupt shall not take longer */
	if (rows->added++ == MAX_ROWS)
		return -EFBIG;
	id = rule_set__add(&rows->rules, rule);
	if (id == -ENOMEM)
		return id;
	if (id < 0)
		id = 0;
	last = rows->n ? &rows->v[rows->n - 1] : NULL;
	if (last && last->offset == offset)
		rows->n--;
	last = rows->n ? &rows->v[rows->n - 1] : NULL;
	if (last && last->rule == id)
		return 0;
	v = with_room(rows->v, rows->n, &rows->room, sizeof(*v));
	if (!v)
		return -ENOMEM;
	rows->v = v;
	v[rows->n++] = (struct cfi_row){ .offset = offset, .rule = id };
	return 0;
}

/* ---- places in the code ----------------------------------------------------------------------- */

/* The state holds from here on. */
static void run__row(struct run *r)
{
	struct fs_unwind_rule rule;

	if (!r->changed)
		return;
	r->changed = false;
	cfi_rule__of(r->cie, &r->state, &rule);
	r->err = cfi_rows__add(r->rows, r->loc > r->from ? r->loc : r->from, &rule);
}

/* False: the rest is of no interest. */
static bool run__goto(struct run *r, __u64 loc)
{
	if (!r->rows)
		return false;
	if (loc != r->loc)
		run__row(r);
	if (r->err || loc >= r->end)
		return false;
	r->loc = loc;
	return true;
}

static bool run__advance(struct run *r, __u64 delta)
{
	__u64 bytes;

	/* The end is of 48 bits */
	if (__builtin_mul_overflow(delta, r->cie->code_align, &bytes) || bytes > r->end)
		bytes = r->end;
	return run__goto(r, r->loc + bytes);
}

/* DW_CFA_set_loc: an address, not before the one that has been reached. */
static bool run__set_loc(struct run *r)
{
	const struct cfi_object *o = r->object;
	const struct cfi_segment *segment;
	__u64 vaddr, loc;

	if (!r->rows)
		return false;
	vaddr = cfi_pointer(&r->b, r->cie->encoding, o->vaddr + (r->b.at - o->eh_frame), NULL);
	segment = r->b.bad ? NULL : cfi_object__code(o, vaddr);
	loc = segment ? segment->offset + (vaddr - segment->vaddr) : 0;
	if (loc < r->loc) {
		r->b.bad = true;
		return false;
	}
	return run__goto(r, loc);
}

/* ---- registers -------------------------------------------------------------------------------- */

/* Where a register of DWARF's number is kept, or NULL for one that does not count. */
static struct cfi_register *run__register(struct run *r, __u64 number)
{
	bool x86 = r->cie->machine == EM_X86_64;

	if (number == (x86 ? X86_RBP : ARM64_X29))
		return &r->state.regs[CFI_FP];
	if (number == (x86 ? X86_RIP : ARM64_X30))
		return &r->state.regs[CFI_RA];
	if (number == (x86 ? X86_RSP : ARM64_SP))
		return &r->state.regs[CFI_SP];
	return NULL;
}

static void run__set(struct run *r, __u64 number, enum cfi_how how, __s64 offset)
{
	struct cfi_register *reg = run__register(r, number);

	if (!reg)
		return;
	*reg = (struct cfi_register){ .how = how, .offset = offset };
	r->changed = true;
}

/* An offset in units of the CIE. One that is too large for 64 bits is too large for a rule. */
static __s64 factored(const struct run *r, __s64 n)
{
	__s64 offset;

	return __builtin_mul_overflow(n, r->cie->data_align, &offset) ? INT64_MAX : offset;
}

static struct cfi_expression take_expression(struct run *r)
{
	__u64 size = bytes__uleb(&r->b);
	const __u8 *at = bytes__take(&r->b, size);

	return (struct cfi_expression){ .at = at, .size = at ? size : 0 };
}

static void run__set_expression(struct run *r, enum cfi_how how)
{
	struct cfi_register *reg = run__register(r, bytes__uleb(&r->b));
	struct cfi_expression expression = take_expression(r);

	if (!reg)
		return;
	*reg = (struct cfi_register){ .how = how, .expression = expression };
	r->changed = true;
}

/* As the CIE's instructions left it. */
static void run__restore(struct run *r, __u64 number)
{
	struct cfi_register *reg = run__register(r, number);

	if (!reg)
		return;
	*reg = r->cie->initial.regs[reg - r->state.regs];
	r->changed = true;
}

static void run__set_cfa(struct run *r, __u64 number, __s64 offset)
{
	r->state.cfa_reg = number;
	r->state.cfa_offset = offset;
	r->state.cfa.at = NULL;
	r->changed = true;
}

static void run__remember(struct run *r)
{
	if (r->nremembered == MAX_REMEMBERED)
		r->b.bad = true;
	else
		r->remembered[r->nremembered++] = r->state;
}

static void run__recall(struct run *r)
{
	if (!r->nremembered) {
		r->b.bad = true;
		return;
	}
	r->state = r->remembered[--r->nremembered];
	r->changed = true;
}

/* ---- instructions ----------------------------------------------------------------------------- */

static void set_register(struct run *r, __u8 op)
{
	__u64 number = bytes__uleb(&r->b);

	switch (op) {
	case DW_CFA_undefined:
		run__set(r, number, CFI_UNDEFINED, 0);
		break;
	case DW_CFA_same_value:
		run__set(r, number, CFI_SAME, 0);
		break;
	case DW_CFA_restore_extended:
		run__restore(r, number);
		break;
	case DW_CFA_register:
		bytes__uleb(&r->b);
		run__set(r, number, CFI_REGISTER, 0);
		break;
	case DW_CFA_offset_extended:
		run__set(r, number, CFI_OFFSET, factored(r, bytes__uleb(&r->b)));
		break;
	case DW_CFA_offset_extended_sf:
		run__set(r, number, CFI_OFFSET, factored(r, bytes__sleb(&r->b)));
		break;
	case DW_CFA_val_offset:
		run__set(r, number, CFI_VAL_OFFSET, factored(r, bytes__uleb(&r->b)));
		break;
	case DW_CFA_val_offset_sf:
		run__set(r, number, CFI_VAL_OFFSET, factored(r, bytes__sleb(&r->b)));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		run__set(r, number, CFI_OFFSET, factored(r, -bytes__uleb(&r->b)));
		break;
	}
}

static void set_cfa(struct run *r, __u8 op)
{
	__u64 number = r->state.cfa_reg;

	/* The parts alone make sense only where the CFA is a register and an offset */
	if ((op == DW_CFA_def_cfa_register || op == DW_CFA_def_cfa_offset ||
	     op == DW_CFA_def_cfa_offset_sf) &&
	    (number == CFI_NO_REGISTER || r->state.cfa.at))
		r->b.bad = true;
	switch (op) {
	case DW_CFA_def_cfa:
		number = bytes__uleb(&r->b);
		run__set_cfa(r, number, bytes__uleb(&r->b));
		break;
	case DW_CFA_def_cfa_sf:
		number = bytes__uleb(&r->b);
		run__set_cfa(r, number, factored(r, bytes__sleb(&r->b)));
		break;
	case DW_CFA_def_cfa_register:
		run__set_cfa(r, bytes__uleb(&r->b), r->state.cfa_offset);
		break;
	case DW_CFA_def_cfa_offset:
		run__set_cfa(r, number, bytes__uleb(&r->b));
		break;
	case DW_CFA_def_cfa_offset_sf:
		run__set_cfa(r, number, factored(r, bytes__sleb(&r->b)));
		break;
	case DW_CFA_def_cfa_expression:
		run__set_cfa(r, CFI_NO_REGISTER, 0);
		r->state.cfa = take_expression(r);
		break;
	}
}

/* An instruction whose operands are all behind it. False: this is the end. */
static bool run__extended(struct run *r, __u8 op)
{
	switch (op) {
	case DW_CFA_nop:
		break;
	case DW_CFA_set_loc:
		return run__set_loc(r);
	case DW_CFA_advance_loc1:
		return run__advance(r, bytes__u8(&r->b));
	case DW_CFA_advance_loc2:
		return run__advance(r, bytes__fixed(&r->b, 2));
	case DW_CFA_advance_loc4:
		return run__advance(r, bytes__fixed(&r->b, 4));
	case DW_CFA_MIPS_advance_loc8:
		return run__advance(r, bytes__fixed(&r->b, 8));
	case DW_CFA_remember_state:
		run__remember(r);
		break;
	case DW_CFA_restore_state:
		run__recall(r);
		break;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression:
		set_cfa(r, op);
		break;
	case DW_CFA_expression:
		run__set_expression(r, CFI_EXPRESSION);
		break;
	case DW_CFA_val_expression:
		run__set_expression(r, CFI_VAL_EXPRESSION);
		break;
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_restore_extended:
	case DW_CFA_register:
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		set_register(r, op);
		break;
	case DW_CFA_GNU_args_size:
		bytes__uleb(&r->b);
		break;
	/* The return address is signed from here on, or no more: its place is the same */
	case DW_CFA_AARCH64_negate_ra_state:
	case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
		r->b.bad |= r->cie->machine != EM_AARCH64;
		break;
	default:
		r->b.bad = true;
	}
	return true;
}

static void run__all(struct run *r)
{
	while (!r->b.bad && bytes__left(&r->b)) {
		__u8 op = bytes__u8(&r->b), low = op & 0x3f;

		switch (op & 0xc0) {
		case DW_CFA_advance_loc:
			if (!run__advance(r, low))
				return;
			break;
		case DW_CFA_offset:
			run__set(r, low, CFI_OFFSET, factored(r, bytes__uleb(&r->b)));
			break;
		case DW_CFA_restore:
			run__restore(r, low);
			break;
		default:
			if (!run__extended(r, op))
				return;
		}
	}
}

bool cfi_program__begin(struct cfi_cie *cie, struct bytes instructions)
{
	struct run r = { .b = instructions, .cie = cie, .state.cfa_reg = CFI_NO_REGISTER };

	cie->initial = r.state;
	run__all(&r);
	cie->initial = r.state;
	/* What is left was not run: an instruction that belongs to FDEs only */
	return !r.b.bad && !bytes__left(&r.b);
}

int cfi_program__run(const struct cfi_cie *cie, const struct cfi_fde *fde,
		     const struct cfi_object *o, __u64 from, struct cfi_rows *rows)
{
	static const struct fs_unwind_rule unsupported = { .cfa = FS_CFA_UNSUPPORTED };
	struct run r;

	/* Not all of it: the remembered states are many bytes */
	r.b = (struct bytes){ .at = o->eh_frame + fde->program,
			      .end = o->eh_frame + fde->program_end };
	r.cie = cie;
	r.state = cie->initial;
	r.nremembered = 0;
	r.rows = rows;
	r.object = o;
	r.loc = fde->start;
	r.from = from;
	r.end = fde->start + fde->size;
	r.changed = true;
	r.err = 0;
	run__all(&r);
	if (r.err)
		return r.err;
	if (r.b.bad)
		return cfi_rows__add(rows, r.loc > from ? r.loc : from, &unsupported);
	run__row(&r);
	return r.err;
}
