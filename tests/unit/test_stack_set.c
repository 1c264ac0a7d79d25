/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks by their ids: those that are the same are one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "symbol/stack_set.h"

#define PID   100
#define IMAGE 5

static struct unwound stack_of(__u16 nkernel, __u16 nuser, __u64 first)
{
	struct unwound u = { .nkernel = nkernel, .nuser = nuser, .end = FS_STACK_COMPLETE };

	for (unsigned int i = 0; i < (unsigned int)nkernel + nuser; i++)
		u.frames[i] = fs_frame(3, first + i, 0, i > 0);
	/* no part of the stack */
	for (unsigned int i = nkernel + nuser; i < FS_STACK_FRAMES; i++)
		u.frames[i] = 0xeeeeeeee + first;
	return u;
}

static const struct stack *add(struct stack_set *set, __u32 id, __u32 pid, __u64 image,
			       const struct unwound *u)
{
	const struct stack *s;

	assert_int_equal(stack_set__add(set, id, pid, image, u), 0);
	s = stack_set__get(set, id);
	assert_non_null(s);
	assert_ptr_equal(stack_set__stack(set, s->number), s);
	assert_int_equal(s->nkernel, u->nkernel);
	assert_int_equal(s->nuser, u->nuser);
	assert_int_equal(s->end, u->end);
	assert_memory_equal(s->frames, u->frames, 8 * ((size_t)u->nkernel + u->nuser));
	assert_int_equal(s->pid, u->own_addresses ? pid : 0);
	assert_int_equal(s->image, u->own_addresses ? image : 0);
	return s;
}

static void test_same(void **state)
{
	struct stack_set *set = stack_set__new();
	struct unwound u = stack_of(2, 5, 1000), again = stack_of(2, 5, 1000);
	const struct stack *s = add(set, 1, PID, IMAGE, &u);

	assert_int_equal(s->number, 0);
	/* what lies behind the frames does not count, nor whose a stack without addresses is */
	again.frames[7] = 1;
	assert_ptr_equal(add(set, 2, PID, IMAGE, &again), s);
	assert_ptr_equal(add(set, 9, PID + 1, IMAGE + 1, &again), s);
	assert_int_equal(stack_set__n(set), 1);
	/* the set has its own copy */
	memset(&u, 0, sizeof(u));
	assert_memory_equal(s->frames, again.frames, 8 * 7);
	stack_set__free(set);
	stack_set__free(NULL);
}

/* All else is another stack. */
static void test_differences(void **state)
{
	struct stack_set *set = stack_set__new();
	struct unwound u[8];

	for (size_t i = 0; i < 8; i++)
		u[i] = stack_of(2, 5, 1000);
	u[1].nkernel = 3; /* of the same frames in sum */
	u[1].nuser = 4;
	u[2].nuser = 4; /* one less */
	u[3].nuser = 6;
	u[4].end = FS_STACK_DEEP;
	u[5].frames[0]++;
	u[6].frames[6] ^= FS_FRAME_CALL;
	u[7].nkernel = u[7].nuser = 0;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(add(set, i + 1, PID, IMAGE, &u[i])->number, i);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(add(set, i + 51, PID, IMAGE, &u[i])->number, i);
	assert_int_equal(stack_set__n(set), 8);
	stack_set__free(set);
}

static void test_own_addresses(void **state)
{
	struct stack_set *set = stack_set__new();
	struct unwound u = stack_of(0, 4, 1000);
	static const struct {
		__u32 pid;
		__u64 image;
	} whose[] = {
		{ PID, IMAGE },
		{ PID, IMAGE + 1 },
		{ PID + 1, IMAGE }, /* the same sum */
		{ PID + 1, IMAGE - 1 },
		{ PID, IMAGE + (1ULL << 32) },
		{ 0, 0 },
	};
	const size_t n = sizeof(whose) / sizeof(*whose);

	u.own_addresses = true;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(add(set, i + 1, whose[i].pid, whose[i].image, &u)->number, i);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(add(set, i + 50, whose[i].pid, whose[i].image, &u)->number, i);
	assert_int_equal(stack_set__n(set), n);
	stack_set__free(set);
}

static void test_ids(void **state)
{
	struct stack_set *set = stack_set__new();
	struct unwound u = stack_of(1, 2, 1000), other = stack_of(1, 2, 2000);
	const struct stack *s;

	assert_null(stack_set__get(set, 0));
	assert_null(stack_set__get(set, 1));
	assert_null(stack_set__get(set, UINT32_MAX));
	assert_int_equal(stack_set__n(set), 0);
	/* no kernel side gives these */
	assert_int_equal(stack_set__add(set, 0, PID, IMAGE, &u), -EINVAL);
	assert_int_equal(stack_set__add(set, (1U << 30) + 1, PID, IMAGE, &u), -EINVAL);
	assert_int_equal(stack_set__add(set, 1U << 31, PID, IMAGE, &u), -EINVAL);
	assert_int_equal(stack_set__add(set, UINT32_MAX, PID, IMAGE, &u), -EINVAL);
	assert_int_equal(stack_set__n(set), 0);
	s = add(set, 7, PID, IMAGE, &u);
	add(set, 5000, PID, IMAGE, &other);
	for (__u32 id = 0; id < 20000; id++)
		if (id != 7 && id != 5000)
			assert_null(stack_set__get(set, id));
	assert_null(stack_set__get(set, 1U << 30));
	assert_null(stack_set__get(set, UINT32_MAX));
	assert_ptr_equal(stack_set__get(set, 7), s);
	stack_set__free(set);
}

#define MANY 20000

/* They stay where they are while the set grows, and ids come in any order. */
static void test_many(void **state)
{
	struct stack_set *set = stack_set__new();
	const struct stack **stacks = calloc(MANY, sizeof(*stacks));

	assert_non_null(stacks);
	for (__u32 i = 0; i < MANY; i++) {
		struct unwound u = stack_of(i % 4, 1 + i % 7, 100 * i);

		stacks[i] = add(set, MANY - i, PID, IMAGE, &u);
		assert_int_equal(stacks[i]->number, i);
	}
	assert_int_equal(stack_set__n(set), MANY);
	for (__u32 i = 0; i < MANY; i++) {
		struct unwound u = stack_of(i % 4, 1 + i % 7, 100 * i);

		assert_ptr_equal(stack_set__get(set, MANY - i), stacks[i]);
		assert_ptr_equal(add(set, MANY + 1 + i, PID, IMAGE, &u), stacks[i]);
	}
	assert_int_equal(stack_set__n(set), MANY);
	free(stacks);
	stack_set__free(set);
}

/* The largest that there is. */
static void test_large(void **state)
{
	struct stack_set *set = stack_set__new();
	struct unwound u = stack_of(FS_STACK_KERNEL, FS_STACK_USER, 1000);

	add(set, 1, PID, IMAGE, &u);
	u.frames[FS_STACK_FRAMES - 1]++;
	assert_int_equal(add(set, 2, PID, IMAGE, &u)->number, 1);
	stack_set__free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),          cmocka_unit_test(test_differences),
		cmocka_unit_test(test_own_addresses), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_many),          cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
