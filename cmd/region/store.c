/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables by id, and what is known of address spaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "region/internal.h"

int id_table__set(struct id_table *t, __u32 id, void *p)
{
	size_t page = id / ID_PAGE;

	if (page >= t->npages) {
		size_t n = page + 1 > 2 * t->npages ? page + 1 : 2 * t->npages;
		void ***pages = reallocarray(t->pages, n, sizeof(*pages));

		if (!pages)
			return -ENOMEM;
		memset(pages + t->npages, 0, (n - t->npages) * sizeof(*pages));
		t->pages = pages;
		t->npages = n;
	}
	if (!t->pages[page]) {
		t->pages[page] = calloc(ID_PAGE, sizeof(void *));
		if (!t->pages[page])
			return -ENOMEM;
	}
	t->pages[page][id % ID_PAGE] = p;
	return 0;
}

void id_table__free(struct id_table *t, void (*release)(void *p))
{
	for (size_t i = 0; i < t->npages; i++) {
		for (size_t k = 0; release && t->pages[i] && k < ID_PAGE; k++)
			release(t->pages[i][k]);
		free(t->pages[i]);
	}
	free(t->pages);
	t->pages = NULL;
	t->npages = 0;
}

struct mm *mm__new(void)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (mm)
		mm->users = 1;
	return mm;
}

void mm__put(struct mm *mm)
{
	if (!mm || --mm->users)
		return;
	free(mm->stacks);
	free(mm->bss);
	layout__free(mm);
	free(mm);
}

/* Index of the first stack whose sp is above addr. */
static size_t first_above(const struct mm *mm, __u64 addr)
{
	size_t low = 0, high = mm->nstacks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (mm->stacks[mid].sp > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

int mm__add_stack(struct mm *mm, __u64 low, __u64 sp, __u32 tid)
{
	size_t i = first_above(mm, sp);
	struct stack s = { .sp = sp, .low = low, .tid = tid }, *stacks;

	if (i && mm->stacks[i - 1].sp == sp) {
		mm->stacks[i - 1] = s;
		return 0;
	}
	stacks = with_room(mm->stacks, mm->nstacks, &mm->stacks_room, sizeof(s));
	if (!stacks)
		return -ENOMEM;
	mm->stacks = stacks;
	memmove(&mm->stacks[i + 1], &mm->stacks[i], (mm->nstacks - i) * sizeof(s));
	mm->stacks[i] = s;
	mm->nstacks++;
	return 0;
}

void mm__del_stack(struct mm *mm, __u64 sp, __u32 tid)
{
	size_t i = first_above(mm, sp);

	if (!i || mm->stacks[i - 1].sp != sp || mm->stacks[i - 1].tid != tid)
		return;
	mm->nstacks--;
	memmove(&mm->stacks[i - 1], &mm->stacks[i], (mm->nstacks - (i - 1)) * sizeof(*mm->stacks));
}

const struct stack *mm__stack_above(const struct mm *mm, __u64 addr)
{
	size_t i = first_above(mm, addr);

	return i < mm->nstacks ? &mm->stacks[i] : NULL;
}

int mm__add_bss(struct mm *mm, const struct bss *bss)
{
	struct bss *all;

	mm__del_bss(mm, bss->start, bss->end);
	all = with_room(mm->bss, mm->nbss, &mm->bss_room, sizeof(*bss));
	if (!all)
		return -ENOMEM;
	mm->bss = all;
	mm->bss[mm->nbss++] = *bss;
	return 0;
}

void mm__del_bss(struct mm *mm, __u64 start, __u64 end)
{
	for (size_t i = 0; i < mm->nbss;) {
		if (mm->bss[i].start < end && start < mm->bss[i].end)
			mm->bss[i] = mm->bss[--mm->nbss];
		else
			i++;
	}
}

struct mm *mm__successor(const struct mm *mm, __u64 id)
{
	struct mm *new = NULL;

	for (size_t i = 0; mm && i < mm->nbss; i++) {
		if (mm->bss[i].mm != id)
			continue;
		if (!new)
			new = mm__new();
		if (new)
			mm__add_bss(new, &mm->bss[i]);
	}
	return new;
}

const struct bss *mm__bss(const struct mm *mm, __u64 addr)
{
	for (size_t i = 0; i < mm->nbss; i++)
		if (mm->bss[i].start <= addr && addr < mm->bss[i].end)
			return &mm->bss[i];
	return NULL;
}
