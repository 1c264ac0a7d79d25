/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/layout_sim.h"

#include <assert.h>
#include <errno.h>
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_OF(addr) (((addr)-SIM_BASE) / SIM_PAGE)
#define ADDR_OF(page) (SIM_BASE + (page)*SIM_PAGE)
#define PRIVATE_RW    (SIM_READ | SIM_WRITE | 0x70)
#define MOST_PAGES    800
#define STACK_PAGES   16
#define ADVICE_WIPE   18
#define ADVICE_DONT   10

struct told {
	union {
		struct fs_head head;
		struct fs_layout_event layout;
		struct fs_call_event call;
	};
	char rest[sizeof(struct fs_layout) + FS_LAYOUT_MAX * sizeof(struct fs_vma)];
};

struct sim *sim__new(struct space *sp, unsigned int seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert(s);
	s->space = sp;
	s->seed = seed;
	s->now = 1000;
	for (__u32 i = 0; i < SIM_PROCS; i++)
		s->procs[i].pid = SIM_PID + i;
	return s;
}

void sim__free(struct sim *s)
{
	free(s->held);
	free(s);
}

unsigned int sim__random(struct sim *s, unsigned int below)
{
	return rand_r(&s->seed) % below;
}

static bool chance(struct sim *s, unsigned int percent)
{
	return sim__random(s, 100) < percent;
}

/* ---- what is told ----------------------------------------------------------------------------- */

static void send_held(struct sim *s)
{
	struct fs_head *held = s->held;

	s->held = NULL;
	if (held)
		assert(!space__event(s->space, held));
	free(held);
}

static void send(struct sim *s, struct fs_head *head)
{
	bool may = head->kind == FS_EVENT_CALL || head->kind == FS_EVENT_LAYOUT;

	if (may && chance(s, s->lost)) {
		s->nlost++;
		return;
	}
	if (may && !s->held && chance(s, s->late)) {
		s->held = malloc(head->size);
		assert(s->held);
		memcpy(s->held, head, head->size);
		return;
	}
	assert(!space__event(s->space, head));
	if (chance(s, 30))
		send_held(s);
}

/* Is the page mapped as the one before it, so that one VMA may hold both? */
static bool goes_on(const struct sim_proc *p, unsigned int page)
{
	const struct sim_page *a = &p->pages[page - 1], *b = a + 1;

	return a->mapped && b->mapped && a->flags == b->flags && a->file == b->file &&
	       (!a->file || a->pgoff + 1 == b->pgoff);
}

/* The VMAs of [from, to), at most FS_LAYOUT_MAX; some are cut in two, as the kernel has them. */
static __u64 walk(struct sim *s, const struct sim_proc *p, __u64 from, __u64 to,
		  struct fs_vma vmas[FS_LAYOUT_MAX], __u32 *n)
{
	__u64 begin = from > SIM_BASE ? PAGE_OF(from) : 0;
	__u64 end = to < ADDR_OF(SIM_PAGES) ? PAGE_OF(to) : SIM_PAGES;

	*n = 0;
	for (__u64 i = begin; i < end; i++) {
		const struct sim_page *page = &p->pages[i];

		if (!page->mapped)
			continue;
		if (*n && i > begin && vmas[*n - 1].end == ADDR_OF(i) && goes_on(p, i) &&
		    !chance(s, 1)) {
			vmas[*n - 1].end += SIM_PAGE;
			continue;
		}
		if (*n == FS_LAYOUT_MAX)
			return ADDR_OF(i);
		vmas[(*n)++] =
			(struct fs_vma){ .start = ADDR_OF(i),
					 .end = ADDR_OF(i + 1),
					 .pgoff = page->pgoff,
					 .vm_flags = page->flags,
					 .file_id = page->file,
					 .region = page->file ? FS_REGION_FILE : FS_REGION_ANON };
	}
	return to;
}

/* A state; now and then it cannot be read. */
static __u32 read_layout(struct sim *s, const struct sim_proc *p, __u64 from, __u64 to,
			 struct fs_layout *l)
{
	*l = (struct fs_layout){ .time_ns = ++s->now, .from = from };
	l->to = walk(s, p, from, to, (void *)(l + 1), &l->n);
	l->flags = 0;
	if (!chance(s, s->unsure))
		return l->n;
	l->flags = FS_LAYOUT_UNSURE;
	l->to = to;
	return l->n = 0;
}

static void tell(struct sim *s, const struct sim_proc *p, __u64 from, __u64 to)
{
	struct told t;
	__u32 n;

	while (from < to) {
		t.layout = (struct fs_layout_event){ .mm = p->pid };
		n = read_layout(s, p, from, to, &t.layout.layout);
		t.head = (struct fs_head){ .kind = FS_EVENT_LAYOUT,
					   .size = sizeof(t.layout) + n * sizeof(struct fs_vma),
					   .time_ns = s->now,
					   .pid = p->pid,
					   .tid = p->pid };
		t.layout.start_stack = ADDR_OF(SIM_PAGES) - 100;
		from = t.layout.layout.to;
		send(s, &t.head);
	}
}

/* A call returns. */
static void tell_call(struct sim *s, const struct sim_call *c)
{
	struct told t;
	__u32 n;

	if (!c->proc->alive)
		return;
	if (c->new_to)
		tell(s, c->proc, c->new_from, c->new_to);
	t.call = c->ev;
	t.head = (struct fs_head){ .kind = FS_EVENT_CALL,
				   .size = sizeof(t.call),
				   .pid = c->proc->pid,
				   .tid = c->proc->pid };
	if (c->to) {
		struct fs_layout *l = (void *)(&t.call + 1);

		n = read_layout(s, c->proc, c->from, c->to, l);
		if (l->to < c->to) {
			tell(s, c->proc, c->from, c->to);
		} else {
			t.call.flags |= FS_CALL_LAYOUT;
			t.head.size += sizeof(*l) + n * sizeof(struct fs_vma);
		}
	}
	t.head.time_ns = ++s->now;
	send(s, &t.head);
}

static void return_one(struct sim *s)
{
	unsigned int i = sim__random(s, s->npending);
	struct sim_call c = s->pending[i];

	s->pending[i] = s->pending[--s->npending];
	tell_call(s, &c);
}

void sim__return_all(struct sim *s)
{
	while (s->npending)
		return_one(s);
	send_held(s);
}

static void call_done(struct sim *s, const struct sim_call *c)
{
	if (!s->in_flight) {
		tell_call(s, c);
		return;
	}
	s->pending[s->npending++] = *c;
	while (s->npending > s->in_flight || (s->npending && chance(s, 40)))
		return_one(s);
}

void sim__tell_wanted(struct sim *s)
{
	unsigned int unsure = s->unsure, lost = s->lost, late = s->late;
	__u64 from, to;
	__u32 pid;

	s->lost = s->unsure = s->late = 0;
	while (space__wanted(s->space, &pid, &from, &to))
		if (pid - SIM_PID < SIM_PROCS && s->procs[pid - SIM_PID].alive)
			tell(s, &s->procs[pid - SIM_PID], from, to);
	s->lost = lost;
	s->unsure = unsure;
	s->late = late;
}

/* ---- pages ------------------------------------------------------------------------------------ */

static void drop(struct sim *s, struct sim_page *page)
{
	if (page->mapped) {
		s->gone.bytes[page->stack]++;
		s->gone.here[page->stack] += page->here;
	}
	*page = (struct sim_page){};
}

static void put(struct sim *s, struct sim_proc *p, unsigned int at, const struct sim_page *page)
{
	drop(s, &p->pages[at]);
	p->pages[at] = *page;
	p->pages[at].mapped = true;
	if (page->stack)
		s->mapped.bytes[page->stack]++;
}

static void drop_range(struct sim *s, struct sim_proc *p, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		drop(s, &p->pages[i]);
}

/* A range of brk's or mmap's addresses. */
static void some_range(struct sim *s, unsigned int *from, unsigned int *to)
{
	*from = SIM_HEAP_END + sim__random(s, SIM_MAP_END - SIM_HEAP_END - MOST_PAGES);
	*to = *from + 1 + sim__random(s, chance(s, 50) ? 8 : chance(s, 80) ? 100 : MOST_PAGES);
}

/* The pages around one that are mapped as it is. */
static void run_around(const struct sim_proc *p, unsigned int at, unsigned int *from,
		       unsigned int *to)
{
	for (*from = at; *from && goes_on(p, *from);)
		--*from;
	for (*to = at + 1; *to < SIM_PAGES && goes_on(p, *to);)
		++*to;
}

static struct sim_call begin(struct sim *s, struct sim_proc *p, enum fs_call call)
{
	struct sim_call c = { .proc = p, .ev = { .call = call } };

	s->calls = s->calls + 1 < SIM_CALLS ? s->calls + 1 : 1;
	c.ev.stack_id = s->calls;
	return c;
}

/* The range of a call in pages, as its arguments and for its layout. */
static void set_range(struct sim_call *c, unsigned int from, unsigned int to)
{
	c->ev.args[0] = c->from = ADDR_OF(from);
	c->to = ADDR_OF(to);
	c->ev.args[1] = c->ev.bytes = c->to - c->from;
}

static void fail(struct sim_call *c, int err)
{
	c->ev.ret = -err;
	c->ev.flags = FS_CALL_FAILED;
	c->ev.bytes = 0;
}

/* ---- calls ------------------------------------------------------------------------------------ */

static void do_mmap(struct sim *s, struct sim_proc *p)
{
	static const __u32 prots[] = { 0x70, SIM_READ | 0x70, PRIVATE_RW, PRIVATE_RW };
	struct sim_call c = begin(s, p, FS_CALL_MMAP);
	struct sim_page page = { .flags = prots[sim__random(s, 4)], .stack = c.ev.stack_id };
	bool populate = chance(s, 20) && (page.flags & 3);
	unsigned int from, to;

	some_range(s, &from, &to);
	if (chance(s, 40))
		page.file = 1 + sim__random(s, 3);
	if (page.file && chance(s, 40))
		page.flags |= SIM_SHARED | SIM_MAYSHARE;
	page.here = page.ever = populate;
	page.anon = populate && (page.flags & (SIM_WRITE | SIM_SHARED)) == SIM_WRITE;
	page.pgoff = page.file ? sim__random(s, 100) : from;
	for (unsigned int i = from; i < to; i++, page.pgoff++)
		put(s, p, i, &page);
	set_range(&c, from, to);
	c.ev.ret = c.from;
	c.ev.args[3] = MAP_FIXED | (populate ? MAP_POPULATE : 0);
	c.ev.populated_min = populate ? to - from : 0;
	call_done(s, &c);
}

static void do_munmap(struct sim *s, struct sim_proc *p)
{
	struct sim_call c = begin(s, p, FS_CALL_MUNMAP);
	unsigned int from, to;

	some_range(s, &from, &to);
	drop_range(s, p, from, to);
	set_range(&c, from, to);
	call_done(s, &c);
}

/* What changes flags goes as far as something is mapped. */
static void change_flags(struct sim *s, struct sim_proc *p, enum fs_call call)
{
	struct sim_call c = begin(s, p, call);
	__u32 set = chance(s, 50) ? SIM_WRITE : 0,
	      advice = chance(s, 50) ? ADVICE_WIPE : ADVICE_DONT;
	unsigned int from, to;

	some_range(s, &from, &to);
	set_range(&c, from, to);
	if (call == FS_CALL_MADVISE)
		c.ev.args[2] = advice;
	for (unsigned int i = from; i < to; i++) {
		struct sim_page *page = &p->pages[i];

		if (!page->mapped || (call == FS_CALL_MADVISE && page->file)) {
			fail(&c, page->mapped ? EINVAL : ENOMEM);
			break;
		}
		if (call == FS_CALL_MPROTECT)
			page->flags = (page->flags & ~SIM_WRITE) | SIM_READ | set;
		else
			page->flags |= advice == ADVICE_WIPE ? SIM_WIPEONFORK : SIM_DONTCOPY;
	}
	call_done(s, &c);
}

static void do_dontneed(struct sim *s, struct sim_proc *p)
{
	struct sim_call c = begin(s, p, FS_CALL_MADVISE);
	unsigned int from, to;

	some_range(s, &from, &to);
	set_range(&c, from, to);
	c.to = 0;
	c.ev.args[2] = MADV_DONTNEED;
	for (unsigned int i = from; i < to; i++) {
		struct sim_page *page = &p->pages[i];

		if (!page->mapped)
			fail(&c, ENOMEM); /* but what is mapped is done */
		page->here = page->anon = false;
	}
	call_done(s, &c);
}

static void do_brk(struct sim *s, struct sim_proc *p)
{
	struct sim_call c = begin(s, p, FS_CALL_BRK);
	__u64 to = SIM_BASE + SIM_PAGE + sim__random(s, (SIM_HEAP_END - 1) * SIM_PAGE);
	__u64 low = to < p->brk ? to : p->brk, high = to < p->brk ? p->brk : to;
	struct sim_page page = { .flags = PRIVATE_RW, .stack = c.ev.stack_id };

	c.ev.old_brk = p->brk;
	c.ev.args[0] = c.ev.ret = to;
	c.ev.bytes = to - p->brk;
	c.from = ADDR_OF(PAGE_OF(low + SIM_PAGE - 1));
	c.to = ADDR_OF(PAGE_OF(high + SIM_PAGE - 1));
	for (unsigned int i = PAGE_OF(c.from); i < PAGE_OF(c.to); i++) {
		if (to > p->brk)
			put(s, p, i, &page);
		else
			drop(s, &p->pages[i]);
	}
	if (c.to == c.from)
		c.to = 0;
	p->brk = to;
	call_done(s, &c);
}

/* [at, at + new) in the place of [from, from + old). */
static void move(struct sim *s, struct sim_proc *p, unsigned int from, unsigned int old,
		 unsigned int at, unsigned int new, struct sim_call *c)
{
	bool keep = c->ev.args[3] & MREMAP_DONTUNMAP;
	struct sim_page page = p->pages[from];
	__u64 pgoff = page.pgoff;

	drop_range(s, p, at, at + new);
	for (unsigned int i = 0; i < new; i++) {
		struct sim_page *was = &p->pages[from + i];

		if (i >= old) {
			page = (struct sim_page){ .flags = page.flags,
						  .file = page.file,
						  .pgoff = pgoff + i,
						  .stack = c->ev.stack_id };
			put(s, p, at + i, &page);
			continue;
		}
		p->pages[at + i] = *was;
		if (keep)
			was->anon = was->here = was->ever = false;
		else
			*was = (struct sim_page){};
	}
	if (!keep)
		drop_range(s, p, from, from + old); /* what it shrank by */
	c->ev.ret = c->new_from = ADDR_OF(at);
	c->new_to = ADDR_OF(at + new);
	c->from = ADDR_OF(from);
	c->to = old ? ADDR_OF(from + old) : 0;
}

static void do_mremap(struct sim *s, struct sim_proc *p)
{
	struct sim_call c = begin(s, p, FS_CALL_MREMAP);
	unsigned int at, from, to, old, new, target, target_end;

	some_range(s, &at, &to);
	some_range(s, &target, &target_end);
	if (!p->pages[at].mapped)
		return;
	run_around(p, at, &from, &to);
	from = chance(s, 50) ? at : from;
	from = from < SIM_HEAP_END ? at : from;
	to = to > SIM_MAP_END ? SIM_MAP_END : to;
	old = chance(s, 50) ? to - from : 1 + sim__random(s, to - from);
	new = chance(s, 30) ? old : target_end - target;
	c.ev.args[3] = MREMAP_MAYMOVE | MREMAP_FIXED;
	if ((p->pages[from].flags & SIM_SHARED) && chance(s, 30))
		old = 0;
	else if (new == old && !(p->pages[from].flags & SIM_SHARED) && chance(s, 50))
		c.ev.args[3] |= MREMAP_DONTUNMAP;
	c.ev.args[0] = ADDR_OF(from);
	c.ev.args[1] = old * SIM_PAGE;
	c.ev.args[2] = c.ev.bytes = new *SIM_PAGE;
	if (old && (new < old || (from + new <= SIM_MAP_END &&chance(s, 50))) && new != old) {
		struct sim_page more = { .flags = p->pages[from].flags,
					 .file = p->pages[from].file,
					 .stack = c.ev.stack_id };

		for (unsigned int i = from + old; i < from + new; i++)
			if (p->pages[i].mapped)
				return;
		for (unsigned int i = from + old; i < from + new; i++) {
			more.pgoff = p->pages[from].pgoff + (i - from);
			put(s, p, i, &more);
		}
		if (new < old)
			drop_range(s, p, from + new, from + old);
		c.ev.ret = c.from = ADDR_OF(from);
		c.to = ADDR_OF(from + (new > old ? new : old));
	} else {
		if (target + new > SIM_MAP_END || (target < from + old && from < target + new) ||
		    target <= from + new)
			return;
		move(s, p, from, old, target, new, &c);
	}
	call_done(s, &c);
}

/* ---- faults ----------------------------------------------------------------------------------- */

static void choose_class(struct sim *s, const struct sim_page *page, struct fs_fault *f)
{
	bool write = f->access == FS_ACCESS_WRITE;

	if (page->flags & SIM_SHARED)
		f->class = chance(s, 50) ? FS_CLASS_FILE : FS_CLASS_SHMEM;
	else if (page->anon)
		f->class = write && chance(s, 50) ? FS_CLASS_REUSE :
			   chance(s, 50)          ? FS_CLASS_SWAP :
						    FS_CLASS_SPURIOUS;
	else if (page->file && chance(s, 30))
		f->class = FS_CLASS_READ;
	else if (page->file)
		f->class = write ? FS_CLASS_COW : FS_CLASS_FILE;
	else if (!write)
		f->class = FS_CLASS_ZERO;
	else
		f->class = page->here ? FS_CLASS_COW : FS_CLASS_ANON;
	if (f->class == FS_CLASS_READ)
		f->flags |= FS_FAULT_MAJOR;
}

/* The pages that a fault makes present: a large folio of anonymous memory fits into a VMA. */
static void choose_order(struct sim *s, const struct sim_proc *p, unsigned int at,
			 struct fs_fault *f, unsigned int *from, unsigned int *to)
{
	unsigned int begin, end, order = chance(s, 50) ? 9 : sim__random(s, 5);

	run_around(p, at, &begin, &end);
	*from = at & ~((1U << order) - 1);
	*to = *from + (1U << order);
	if (f->class == FS_CLASS_ANON && chance(s, 50) && *from >= begin && *to <= end) {
		f->order = order;
		return;
	}
	*from = at;
	*to = at + 1;
}

static void grow_stack(struct sim_proc *p, unsigned int at)
{
	struct sim_page page;
	unsigned int i = at;

	while (!p->pages[i].mapped)
		i++;
	page = (struct sim_page){ .mapped = true,
				  .flags = p->pages[i].flags,
				  .stack = p->pages[i].stack };
	while (i-- > at)
		p->pages[i] = page;
}

static void do_fault(struct sim *s, struct sim_proc *p)
{
	unsigned int at = sim__random(s, SIM_PAGES), from, to;
	struct sim_page *page = &p->pages[at];
	struct fs_fault f = { .time_ns = ++s->now,
			      .latency_ns = 10,
			      .addr = ADDR_OF(at) + sim__random(s, SIM_PAGE),
			      .pid = p->pid,
			      .tid = p->pid,
			      .region = at < SIM_MAP_END ? FS_REGION_ANON : FS_REGION_STACK,
			      .access = chance(s, 50) ? FS_ACCESS_WRITE : FS_ACCESS_READ };

	if (!page->mapped && at >= SIM_MAP_END)
		grow_stack(p, at);
	if (!page->mapped ||
	    !(page->flags & (f.access == FS_ACCESS_WRITE ? SIM_WRITE : SIM_READ))) {
		f.class = FS_CLASS_SEGV;
		f.flags = FS_FAULT_FAILED;
		assert(!space__touch(s->space, &f));
		return;
	}
	choose_class(s, page, &f);
	choose_order(s, p, at, &f, &from, &to);
	for (unsigned int i = from; i < to; i++) {
		page = &p->pages[i];
		page->here = page->ever = true;
		if (f.class == FS_CLASS_ANON || f.class == FS_CLASS_COW ||
		    (f.class == FS_CLASS_READ && f.access == FS_ACCESS_WRITE))
			page->anon = !(page->flags & SIM_SHARED);
	}
	assert(!space__touch(s->space, &f));
}

/* ---- lives ------------------------------------------------------------------------------------ */

/* execve itself touches memory before it is told of. */
static void load(struct sim *s, struct sim_proc *p)
{
	static const unsigned int touched[] = { SIM_HEAP_END + 69, SIM_HEAP_END + 70,
						SIM_PAGES - STACK_PAGES, SIM_PAGES - 1 };

	for (size_t i = 0; i < sizeof(touched) / sizeof(*touched); i++) {
		struct sim_page *page = &p->pages[touched[i]];
		struct fs_fault f = { .time_ns = ++s->now,
				      .addr = ADDR_OF(touched[i]) + 100,
				      .pid = p->pid,
				      .tid = p->pid,
				      .access = FS_ACCESS_WRITE,
				      .class = page->file ? FS_CLASS_COW : FS_CLASS_ANON,
				      .flags = FS_FAULT_KERNEL | FS_FAULT_LOADING };

		page->here = page->ever = page->anon = true;
		assert(!space__touch(s->space, &f));
	}
}

void sim__exec(struct sim *s, struct sim_proc *p)
{
	struct fs_exec_event ev = {
		.head = { FS_EVENT_EXEC, 0, sizeof(ev), 0, p->pid, p->pid },
		.old_tid = p->pid,
		.args_populated = sim__random(s, STACK_PAGES),
		.mm = p->pid,
	};
	struct sim_page text = { .mapped = true, .flags = SIM_READ | 0x74, .file = 7 };
	struct sim_page data = { .mapped = true, .flags = PRIVATE_RW, .file = 7, .pgoff = 40 };
	struct sim_page bss = { .mapped = true, .flags = PRIVATE_RW };
	struct sim_page stack = { .mapped = true, .flags = PRIVATE_RW | SIM_GROWSDOWN };

	sim__return_all(s);
	ev.head.time_ns = ++s->now;
	drop_range(s, p, 0, SIM_PAGES);
	p->alive = true;
	p->brk = SIM_BASE;
	for (unsigned int i = 0; i < 40; i++, text.pgoff++, data.pgoff++) {
		p->pages[SIM_HEAP_END + i] = text;
		p->pages[SIM_HEAP_END + 40 + i] = i < 30 ? data : bss;
	}
	for (unsigned int i = SIM_PAGES - STACK_PAGES; i < SIM_PAGES; i++) {
		stack.here = stack.ever = stack.anon = i >= SIM_PAGES - ev.args_populated;
		p->pages[i] = stack;
	}
	assert(!space__event(s->space, &ev.head));
	load(s, p);
	tell(s, p, 0, SIM_END);
}

void sim__exit(struct sim *s, struct sim_proc *p)
{
	struct fs_exit_event ev = {
		.head = { FS_EVENT_EXIT, 0, sizeof(ev), 0, p->pid, p->pid },
		.last = 1,
	};

	sim__return_all(s);
	drop_range(s, p, 0, SIM_PAGES);
	p->alive = false;
	ev.head.time_ns = ++s->now;
	assert(!space__event(s->space, &ev.head));
}

static void do_fork(struct sim *s, struct sim_proc *p, struct sim_proc *child)
{
	struct fs_fork_event ev = {
		.head = { FS_EVENT_FORK, 0, sizeof(ev), 0, p->pid, p->pid },
		.child_pid = child->pid,
		.child_tid = child->pid,
		.mm = child->pid,
	};

	sim__return_all(s);
	ev.head.time_ns = ++s->now;
	child->alive = true;
	child->brk = p->brk;
	for (unsigned int i = 0; i < SIM_PAGES; i++) {
		struct sim_page *page = &child->pages[i];

		*page = p->pages[i];
		if (page->flags & SIM_WIPEONFORK)
			page->anon = false;
		page->here = page->ever = page->anon; /* those of files it has to fault for */
		if (page->flags & SIM_DONTCOPY)
			*page = (struct sim_page){};
	}
	assert(!space__event(s->space, &ev.head));
	tell(s, child, 0, SIM_END);
}

static void change_life(struct sim *s, struct sim_proc *p)
{
	struct sim_proc *other = &s->procs[sim__random(s, SIM_PROCS)];

	if (chance(s, 30))
		sim__exec(s, p);
	else if (!other->alive)
		do_fork(s, p, other);
	else if (other != p)
		sim__exit(s, other);
}

void sim__step(struct sim *s)
{
	struct sim_proc *p = &s->procs[sim__random(s, SIM_PROCS)];
	unsigned int what = sim__random(s, 100);

	while (!p->alive)
		p = &s->procs[sim__random(s, SIM_PROCS)];
	if (what < 2)
		change_life(s, p);
	else if (what < 16)
		do_mmap(s, p);
	else if (what < 22)
		do_munmap(s, p);
	else if (what < 30)
		change_flags(s, p, what < 28 ? FS_CALL_MPROTECT : FS_CALL_MADVISE);
	else if (what < 36)
		do_dontneed(s, p);
	else if (what < 42)
		do_brk(s, p);
	else if (what < 60)
		do_mremap(s, p);
	else
		do_fault(s, p);
}
