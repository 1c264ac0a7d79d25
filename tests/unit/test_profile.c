/* SPDX-License-Identifier: GPL-2.0-only */
/* Interning and profiles: what is equal is one, sums and limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/profile.h"
#include "base/intern.h"

static void test_strings(void **state)
{
	struct strings s = { 0 };
	char big[70000], name[16];
	const char *first;
	__u32 id, again;
	int i;

	memset(big, 'x', sizeof(big));
	assert_int_equal(strings__add(&s, "", 0, &id), 0);
	assert_int_equal(id, 0);
	first = s.v[0].text;
	assert_int_equal(strings__add(&s, big, sizeof(big), &id), 0);
	assert_int_equal(strings__add(&s, "a\0b", 3, &id), 0);
	assert_int_equal(strings__add(&s, "a\0c", 3, &again), 0);
	assert_int_not_equal(id, again);
	for (i = 0; i < 30000; i++) {
		assert_int_equal(
			strings__add(&s, name, snprintf(name, sizeof(name), "n%d", i), &id), 0);
		assert_int_equal(id, 4 + i);
	}
	assert_int_equal(strings__add(&s, "n77", 3, &id), 0);
	assert_int_equal(id, 81);
	assert_int_equal(strings__add(&s, big, sizeof(big), &id), 0);
	assert_int_equal(id, 1);
	assert_ptr_equal(s.v[0].text, first);
	assert_int_equal(s.v[1].text[sizeof(big)], 0);
	strings__clear(&s);
	assert_int_equal(strings__add(&s, "n77", 3, &id), 0);
	assert_int_equal(id, 0);
	strings__clear(&s);
}

static void test_lists(void **state)
{
	struct idlists l = { 0 };
	__u32 ids[3000], id, i;
	size_t n;

	for (i = 0; i < 3000; i++)
		ids[i] = i / 2;
	assert_int_equal(idlists__add(&l, NULL, 0, &id), 0);
	assert_int_equal(id, 0);
	for (i = 1; i < 3000; i++) {
		assert_int_equal(idlists__add(&l, ids, i, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(idlists__add(&l, ids, 2999, &id), 0);
	assert_int_equal(id, 2999);
	assert_memory_equal(idlists__get(&l, 17, &n), ids, 17 * sizeof(*ids));
	assert_int_equal(n, 17);
	idlists__get(&l, 0, &n);
	assert_int_equal(n, 0);
	idlists__clear(&l);
}

static __u32 add_frame(struct profile *p, struct profile_frame f)
{
	__u32 id;

	assert_int_equal(profile__add_frame(p, &f, &id), 0);
	return id;
}

static void test_frames(void **state)
{
	struct profile *p = profile__new();
	struct profile_mapping map = { 1, 2, 3, "/a", NULL };
	char name[] = "f", copy[] = "f";
	__u32 id, other;

	assert_non_null(p);
	id = add_frame(p, (struct profile_frame){ .name = name, .address = 1 });
	name[0] = 'g'; /* it was copied */
	assert_int_equal(add_frame(p, (struct profile_frame){ .name = copy, .address = 1 }), id);
	assert_string_equal(profile__frame(p, id)->name, "f");
	assert_null(profile__frame(p, id)->object);
	/* Whatever differs makes another. */
	assert_int_not_equal(add_frame(p, (struct profile_frame){ .name = "f", .address = 2 }), id);
	assert_int_not_equal(add_frame(p, (struct profile_frame){ .address = 1 }), id);
	assert_int_not_equal(
		add_frame(p, (struct profile_frame){ .name = "f", .object = "", .address = 1 }),
		id);
	assert_int_not_equal(
		add_frame(p, (struct profile_frame){ .name = "f", .address = 1, .inlined = true }),
		id);
	assert_int_not_equal(
		add_frame(p,
			  (struct profile_frame){ .name = "f", .address = 1, .is_return = true }),
		id);
	assert_int_equal(profile__nframes(p), 6);

	assert_int_equal(profile__add_mapping(p, &map, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(profile__add_mapping(p, &map, &other), 0);
	assert_int_equal(other, 1);
	map.build_id = "00ff";
	assert_int_equal(profile__add_mapping(p, &map, &other), 0);
	assert_int_equal(other, 2);
	assert_string_equal(profile__mapping(p, 2)->build_id, "00ff");
	assert_int_equal(profile__nmappings(p), 2);

	assert_int_equal(profile__add_frame(p, &(struct profile_frame){ .mapping = 3 }, &id),
			 -EINVAL);
	assert_int_equal(profile__add_frame(p, &(struct profile_frame){ .kind = 99 }, &id),
			 -EINVAL);
	id = 6;
	assert_int_equal(profile__add_stack(p, &id, 1, &other), -EINVAL);
	profile__free(p);
}

static void test_cells(void **state)
{
	struct profile *p = profile__new();
	struct profile_labels l = { .comm = "a", .region = "heap", .pid = 1, .tid = 2 };
	struct profile_weights w = { { 1, 4096, 700 } };
	const struct profile_cell *c;
	__u32 frame, stack, empty;
	size_t n;

	frame = add_frame(p, (struct profile_frame){ .name = "f" });
	assert_int_equal(profile__add_stack(p, &frame, 1, &stack), 0);
	assert_int_equal(profile__add_stack(p, NULL, 0, &empty), 0);
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	l.class = "cow";
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	l.tid = 3;
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	assert_int_equal(profile__add(p, empty, &l, &w), 0);
	assert_int_equal(profile__add(p, 2, &l, &w), -EINVAL);
	assert_int_equal(profile__ncells(p), 4);
	assert_int_equal(profile__nstacks(p), 2);
	c = profile__cell(p, 0);
	assert_int_equal(c->weights.w[PROFILE_BYTES], 8192);
	assert_string_equal(c->labels.region, "heap");
	assert_null(c->labels.class);
	assert_int_equal(profile__total(p, PROFILE_FAULTS), 5);
	assert_int_equal(profile__total(p, PROFILE_STALL), 3500);
	assert_int_equal(*profile__stack(p, c->stack, &n), frame);
	assert_int_equal(n, 1);

	/* Sums stay at the end of the numbers. */
	w.w[PROFILE_BYTES] = 1ULL << 63;
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	assert_int_equal(profile__add(p, stack, &l, &w), 0);
	assert_true(profile__total(p, PROFILE_BYTES) == (__u64)-1);
	assert_int_equal(profile__total(p, PROFILE_FAULTS), 7);
	profile__free(p);
	profile__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_cells),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
