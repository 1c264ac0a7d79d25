/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From where the registers of the caller are, as DWARF says it, to a rule. Expressions (DWARF 5,
 * 2.5) are computed with symbols for what only a running program knows; those that occur come to
 * one of a few shapes: see enum shape.
 */
#include <dwarf.h>
#include <elf.h>

#include "symbol/cfi_impl.h"

#define MAX_STACK 8
/* A PLT's has 11. Each row that has one has it computed. */
#define MAX_EXPRESSION_BYTES 64
/* Stands for the CFA among numbers of registers. */
#define REG_CFA (CFI_NO_REGISTER - 1)

enum shape {
	SHAPE_NUMBER,  /* add */
	SHAPE_ADDRESS, /* reg + offset */
	SHAPE_LOADED,  /* *(reg + offset) + add */
	SHAPE_IN_SLOT, /* reg & 15: where ip is in its slot of the PLT */
	SHAPE_PAST,    /* (reg & 15) >= add */
	SHAPE_PAST_8,  /* ((reg & 15) >= add) << 3 */
	SHAPE_PLT,     /* sp + offset + (((ip & 15) >= add) << 3) */
	SHAPE_NOT_KNOWN,
};

struct value {
	enum shape shape;
	__u64 reg;
	__s64 offset, add;
};

struct stack {
	size_t n;
	struct value v[MAX_STACK];
	bool bad;
};

static __u64 sp_of(__u16 machine)
{
	return machine == EM_X86_64 ? X86_RSP : ARM64_SP;
}

static __u64 fp_of(__u16 machine)
{
	return machine == EM_X86_64 ? X86_RBP : ARM64_X29;
}

/* ---- expressions ------------------------------------------------------------------------------ */

static void push(struct stack *s, struct value v)
{
	if (s->n == MAX_STACK)
		s->bad = true;
	else
		s->v[s->n++] = v;
}

static struct value pop(struct stack *s)
{
	if (s->n)
		return s->v[--s->n];
	s->bad = true;
	return (struct value){ .shape = SHAPE_NOT_KNOWN };
}

static struct value plus_number(struct value v, __s64 n)
{
	__s64 *to = v.shape == SHAPE_ADDRESS || v.shape == SHAPE_PLT ? &v.offset : &v.add;

	if ((v.shape != SHAPE_NUMBER && v.shape != SHAPE_ADDRESS && v.shape != SHAPE_LOADED &&
	     v.shape != SHAPE_PLT) ||
	    __builtin_add_overflow(*to, n, to))
		v.shape = SHAPE_NOT_KNOWN;
	return v;
}

static struct value plus(struct value a, struct value b)
{
	if (b.shape == SHAPE_NUMBER)
		return plus_number(a, b.add);
	if (a.shape == SHAPE_NUMBER)
		return plus_number(b, a.add);
	if (a.shape == SHAPE_PAST_8) {
		struct value other = a;

		a = b;
		b = other;
	}
	if (a.shape == SHAPE_ADDRESS && a.reg == X86_RSP && b.shape == SHAPE_PAST_8 &&
	    b.reg == X86_RIP)
		return (struct value){ SHAPE_PLT, a.reg, a.offset, b.add };
	return (struct value){ .shape = SHAPE_NOT_KNOWN };
}

/* A binary operator other than plus. */
static struct value binary(__u8 op, struct value a, struct value b)
{
	if (b.shape == SHAPE_NUMBER) {
		if (op == DW_OP_minus && b.add != INT64_MIN)
			return plus_number(a, -b.add);
		if (op == DW_OP_and && b.add == 15 && a.shape == SHAPE_ADDRESS && !a.offset)
			return (struct value){ SHAPE_IN_SLOT, a.reg, 0, 0 };
		if (op == DW_OP_ge && a.shape == SHAPE_IN_SLOT && b.add >= 0 && b.add <= 16)
			return (struct value){ SHAPE_PAST, a.reg, 0, b.add };
		if (op == DW_OP_shl && a.shape == SHAPE_PAST && b.add == 3)
			return (struct value){ SHAPE_PAST_8, a.reg, 0, a.add };
	}
	return (struct value){ .shape = SHAPE_NOT_KNOWN };
}

static struct value load(struct value v)
{
	v.shape = v.shape == SHAPE_ADDRESS && v.reg != REG_CFA ? SHAPE_LOADED : SHAPE_NOT_KNOWN;
	v.add = 0;
	return v;
}

/* The operators that push a number; false where this is none. */
static bool number(struct stack *s, __u8 op, struct bytes *b)
{
	__s64 n;

	if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		n = op - DW_OP_lit0;
	} else {
		switch (op) {
		case DW_OP_const1u:
			n = bytes__u8(b);
			break;
		case DW_OP_const1s:
			n = (__s8)bytes__u8(b);
			break;
		case DW_OP_const2u:
			n = bytes__fixed(b, 2);
			break;
		case DW_OP_const2s:
			n = (__s16)bytes__fixed(b, 2);
			break;
		case DW_OP_const4u:
			n = bytes__fixed(b, 4);
			break;
		case DW_OP_const4s:
			n = (__s32)bytes__fixed(b, 4);
			break;
		case DW_OP_constu:
			n = bytes__uleb(b);
			break;
		case DW_OP_consts:
			n = bytes__sleb(b);
			break;
		default:
			return false;
		}
	}
	push(s, (struct value){ .shape = SHAPE_NUMBER, .add = n });
	return true;
}

static void operate(struct stack *s, __u8 op, struct bytes *b)
{
	struct value a;
	__u64 reg;

	if (number(s, op, b))
		return;
	if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
		push(s, (struct value){ SHAPE_ADDRESS, op - DW_OP_breg0, bytes__sleb(b), 0 });
		return;
	}
	switch (op) {
	case DW_OP_nop:
		break;
	case DW_OP_bregx:
		reg = bytes__uleb(b);
		push(s, (struct value){ SHAPE_ADDRESS, reg, bytes__sleb(b), 0 });
		break;
	case DW_OP_plus_uconst:
		push(s, plus_number(pop(s), bytes__uleb(b)));
		break;
	case DW_OP_deref:
		push(s, load(pop(s)));
		break;
	case DW_OP_plus:
		a = pop(s);
		push(s, plus(pop(s), a));
		break;
	case DW_OP_minus:
	case DW_OP_and:
	case DW_OP_ge:
	case DW_OP_shl:
		a = pop(s);
		push(s, binary(op, pop(s), a));
		break;
	default:
		s->bad = true;
	}
}

/* What an expression comes to. start: what is on the stack before, if anything. */
static struct value compute(struct cfi_expression e, const struct value *start)
{
	struct bytes b = { .at = e.at, .end = e.at + e.size };
	struct stack s = {};

	if (e.size > MAX_EXPRESSION_BYTES)
		return (struct value){ .shape = SHAPE_NOT_KNOWN };
	if (start)
		push(&s, *start);
	while (!s.bad && !b.bad && bytes__left(&b))
		operate(&s, bytes__u8(&b), &b);
	if (s.bad || b.bad || !s.n)
		return (struct value){ .shape = SHAPE_NOT_KNOWN };
	return s.v[s.n - 1];
}

/* ---- the CFA ---------------------------------------------------------------------------------- */

static bool fits(__s64 n, __s32 *out)
{
	*out = n;
	return n == *out;
}

static struct value cfa_of(const struct cfi_state *state)
{
	if (state->cfa.at)
		return compute(state->cfa, NULL);
	if (state->cfa_reg == CFI_NO_REGISTER)
		return (struct value){ .shape = SHAPE_NOT_KNOWN };
	return (struct value){ SHAPE_ADDRESS, state->cfa_reg, state->cfa_offset, 0 };
}

static bool set_cfa(__u16 machine, struct value cfa, struct fs_unwind_rule *rule)
{
	bool sp = cfa.reg == sp_of(machine), fp = cfa.reg == fp_of(machine);
	__u64 general = machine == EM_X86_64 ? X86_RIP : ARM64_SP;

	if (!fits(cfa.offset, &rule->cfa_offset))
		return false;
	switch (cfa.shape) {
	case SHAPE_ADDRESS:
		rule->cfa = sp ? FS_CFA_SP : fp ? FS_CFA_FP : FS_CFA_REG;
		rule->arg = sp || fp ? 0 : cfa.reg;
		/* sp - 16: glibc at the end of arm64's _dl_runtime_resolve, in error */
		return sp ? cfa.offset >= 0 : fp || cfa.reg < general;
	case SHAPE_LOADED:
		rule->cfa = sp ? FS_CFA_SP_DEREF : FS_CFA_FP_DEREF;
		rule->arg = cfa.add / 8;
		return (sp || fp) && !(cfa.add % 8) && cfa.add >= -1024 && cfa.add < 1024;
	case SHAPE_PLT:
		rule->cfa = FS_CFA_PLT;
		rule->arg = cfa.add;
		return machine == EM_X86_64;
	default:
		return false;
	}
}

/* ---- registers -------------------------------------------------------------------------------- */

/* In memory at `where`. False: that place cannot be said in a rule. */
static bool set_memory(__u16 machine, struct value cfa, struct value where, __u8 *saved,
		       __s32 *offset)
{
	__s64 n;

	if (where.shape != SHAPE_ADDRESS)
		return false;
	if (where.reg == REG_CFA) {
		*saved = FS_SAVED_CFA;
		return fits(where.offset, offset);
	}
	if (cfa.shape == SHAPE_ADDRESS && cfa.reg == where.reg) {
		*saved = FS_SAVED_CFA;
		return !__builtin_sub_overflow(where.offset, cfa.offset, &n) && fits(n, offset);
	}
	*saved = FS_SAVED_FP;
	return where.reg == fp_of(machine) && fits(where.offset, offset);
}

static void set_saved(__u16 machine, struct value cfa, const struct cfi_register *reg, __u8 *saved,
		      __s32 *offset)
{
	struct value where = { SHAPE_ADDRESS, REG_CFA, 0, 0 };
	bool known = false;

	*offset = 0;
	switch (reg->how) {
	case CFI_UNSET:
	case CFI_SAME:
		*saved = FS_SAVED_SAME;
		return;
	case CFI_OFFSET:
		where.offset = reg->offset;
		known = set_memory(machine, cfa, where, saved, offset);
		break;
	case CFI_EXPRESSION:
		where = compute(reg->expression, &where);
		known = set_memory(machine, cfa, where, saved, offset);
		break;
	case CFI_VAL_EXPRESSION:
		/* The value that is at a place is a register that is saved there */
		where = compute(reg->expression, &where);
		if (where.shape == SHAPE_LOADED && !where.add) {
			where.shape = SHAPE_ADDRESS;
			known = set_memory(machine, cfa, where, saved, offset);
		}
		break;
	default:
		break;
	}
	if (!known) {
		*saved = FS_SAVED_LOST;
		*offset = 0;
	}
}

/* ---- rules ------------------------------------------------------------------------------------ */

/* sp as it was in the caller is the CFA: all that rules know. */
static bool sp_is_cfa(const struct cfi_register *sp)
{
	return sp->how == CFI_UNSET || (sp->how == CFI_VAL_OFFSET && !sp->offset);
}

static bool at_sp(const struct cfi_register *reg, __s64 offset)
{
	struct value cfa = { SHAPE_ADDRESS, REG_CFA, 0, 0 };
	struct value v = { .shape = SHAPE_NOT_KNOWN };

	if (reg->how == CFI_EXPRESSION)
		v = compute(reg->expression, &cfa);
	return v.shape == SHAPE_ADDRESS && v.reg == X86_RSP && v.offset == offset;
}

/*
 * Do the registers lie where the kernel puts them for a signal? x86-64: struct rt_sigframe of
 * arch/x86/include/asm/sigframe.h less the return address, which the handler has taken; glibc says
 * so of __restore_rt (sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c). arm64: older kernels
 * say of __kernel_rt_sigreturn that x29 leads to the frame record, which is behind the registers.
 */
static bool is_signal_frame(__u16 machine, struct value cfa, const struct cfi_state *state)
{
	const struct cfi_register *fp = &state->regs[CFI_FP], *ra = &state->regs[CFI_RA];

	if (machine == EM_X86_64)
		return cfa.shape == SHAPE_LOADED && cfa.reg == X86_RSP && cfa.offset == 160 &&
		       !cfa.add && at_sp(fp, 120) && at_sp(ra, 168) &&
		       at_sp(&state->regs[CFI_SP], 160);
	return cfa.shape == SHAPE_ADDRESS && cfa.reg == ARM64_X29 && !cfa.offset &&
	       fp->how == CFI_OFFSET && !fp->offset && ra->how == CFI_OFFSET && ra->offset == 8;
}

/* False: this has no place in a rule. */
static bool frame_rule(__u16 machine, const struct cfi_state *state, struct value cfa,
		       struct fs_unwind_rule *rule)
{
	const struct cfi_register *ra = &state->regs[CFI_RA];

	/* The return address of x86-64 has never been in a register of the callee's */
	if (machine == EM_X86_64 && (ra->how == CFI_UNSET || ra->how == CFI_SAME))
		return false;
	if (!sp_is_cfa(&state->regs[CFI_SP]) || !set_cfa(machine, cfa, rule))
		return false;
	set_saved(machine, cfa, ra, &rule->ra, &rule->ra_offset);
	set_saved(machine, cfa, &state->regs[CFI_FP], &rule->fp, &rule->fp_offset);
	return rule->ra != FS_SAVED_LOST;
}

void cfi_rule__of(const struct cfi_cie *cie, const struct cfi_state *state,
		  struct fs_unwind_rule *rule)
{
	struct value cfa;

	*rule = (struct fs_unwind_rule){ .cfa = cie->moved_ra ? FS_CFA_UNSUPPORTED : FS_CFA_END };
	if (cie->moved_ra || state->regs[CFI_RA].how == CFI_UNDEFINED)
		return;
	cfa = cfa_of(state);
	if (cie->signal) {
		bool known = is_signal_frame(cie->machine, cfa, state);

		rule->cfa = known ? FS_CFA_SIGNAL : FS_CFA_UNSUPPORTED;
		return;
	}
	if (!frame_rule(cie->machine, state, cfa, rule))
		*rule = (struct fs_unwind_rule){ .cfa = FS_CFA_UNSUPPORTED };
}
