/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables of made-up files: what is looked up is what the rows say, and nothing else is written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "symbol/tables.h"

#define BUCKET (1 << FS_UNWIND_BUCKET_SHIFT)
#define WORDS  65536
#define RULES  64

/* ---- files ------------------------------------------------------------------------------------ */

static struct fs_unwind_rule rule_no(unsigned int n)
{
	if (!n)
		return (struct fs_unwind_rule){ .cfa = FS_CFA_NONE };
	return (struct fs_unwind_rule){ .cfa = FS_CFA_SP, .cfa_offset = 8 * n };
}

struct file {
	struct cfi cfi;
	struct cfi_row rows[16384];
	struct fs_unwind_rule rules[RULES];
};

/* Its rules are those from number `first_rule` on. */
static struct file *file__new(size_t nrules, unsigned int first_rule)
{
	struct file *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->cfi.rows = f->rows;
	f->cfi.rules = f->rules;
	f->cfi.nrules = nrules;
	for (size_t i = 1; i < nrules; i++)
		f->rules[i] = rule_no(first_rule + i - 1);
	return f;
}

static void file__add(struct file *f, __u64 offset, unsigned int rule)
{
	assert_true(f->cfi.nrows < sizeof(f->rows) / sizeof(*f->rows));
	f->rows[f->cfi.nrows++] = (struct cfi_row){ .offset = offset, .rule = rule };
}

/* Rows up to `gap` bytes apart, from `start` on. The same each time. */
static struct file *file__random(unsigned int seed, __u64 start, size_t n, unsigned int gap)
{
	struct file *f = file__new(20, 1 + seed % 5);
	unsigned int rule = 0;

	srand(seed);
	for (size_t i = 0; i + 1 < n; i++) {
		rule = (rule + 1 + rand() % 18) % 20;
		file__add(f, start, rule);
		start += 1 + rand() % gap;
	}
	file__add(f, start, 0);
	return f;
}

/* ---- tables ----------------------------------------------------------------------------------- */

struct fixture {
	__u32 words[WORDS];
	struct fs_unwind_rule rules[RULES];
	struct unwind_tables *t;
};

static struct fixture *fixture__new(size_t nwords, size_t nrules)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memset(f->words, 0xee, sizeof(f->words));
	memset(f->rules, 0xee, sizeof(f->rules));
	f->t = unwind_tables__new(f->words, nwords, f->rules, nrules);
	assert_non_null(f->t);
	return f;
}

static void fixture__free(struct fixture *f)
{
	unwind_tables__free(f->t);
	free(f);
}

static struct unwind_tables_stat stat_of(const struct fixture *f)
{
	struct unwind_tables_stat s;

	unwind_tables__stat(f->t, &s);
	return s;
}

/* From the first row to the last there is none but these; the search is for the last one before. */
static const struct fs_unwind_rule *linear(const struct cfi *cfi, __u64 offset)
{
	const struct fs_unwind_rule *rule = &cfi->rules[0];

	for (size_t i = 0; i < cfi->nrows && cfi->rows[i].offset <= offset; i++)
		rule = &cfi->rules[cfi->rows[i].rule];
	return rule;
}

static void check_offset(const struct fixture *f, const struct fs_unwind_table *table,
			 const struct cfi *cfi, __u64 offset)
{
	assert_memory_equal(unwind_tables__rule(f->t, table, offset), linear(cfi, offset),
			    sizeof(struct fs_unwind_rule));
	assert_memory_equal(cfi__rule(cfi, offset), linear(cfi, offset),
			    sizeof(struct fs_unwind_rule));
}

/* Before, at and behind each row, and around the file. */
static void check_file(const struct fixture *f, const struct fs_unwind_table *table,
		       const struct cfi *cfi)
{
	for (size_t i = 0; i < cfi->nrows; i++) {
		check_offset(f, table, cfi, cfi->rows[i].offset);
		check_offset(f, table, cfi, cfi->rows[i].offset + 1);
		check_offset(f, table, cfi, cfi->rows[i].offset | (BUCKET - 1));
		check_offset(f, table, cfi, (cfi->rows[i].offset | (BUCKET - 1)) + 1);
		if (cfi->rows[i].offset)
			check_offset(f, table, cfi, cfi->rows[i].offset - 1);
	}
	check_offset(f, table, cfi, 0);
	check_offset(f, table, cfi, UINT64_MAX);
	check_offset(f, table, cfi, 1ULL << 42);
}

static void add(struct fixture *f, const struct cfi *cfi, struct fs_unwind_table *out)
{
	assert_int_equal(unwind_tables__add(f->t, cfi, out), 0);
	assert_int_equal(out->kind, FS_UNWIND_ROWS);
}

/* ---- layout ----------------------------------------------------------------------------------- */

static void test_layout(void **state)
{
	struct fixture *f = fixture__new(WORDS, RULES);
	struct file *file = file__new(3, 1);
	struct fs_unwind_table table;
	const __u32 wanted[] = {
		7,
		9,
		10,
		12,
		12,
		13,
		14,                    /* where the buckets begin */
		0,                     /* before the first row: nothing */
		fs_unwind_row(100, 1), /* bucket 5 */
		fs_unwind_row(0, 1),   /* bucket 6: all of it */
		fs_unwind_row(0, 1),
		fs_unwind_row(1, 0), /* 7: 8 is empty */
		fs_unwind_row(0, 2), /* 9, whose row begins with it */
		fs_unwind_row(0, 0), /* 10: the end */
	};

	file__add(file, 5 * BUCKET + 100, 1);
	file__add(file, 7 * BUCKET + 1, 0);
	file__add(file, 9 * BUCKET, 2);
	file__add(file, 10 * BUCKET, 0);
	add(f, &file->cfi, &table);
	assert_int_equal(table.first, 5);
	assert_int_equal(table.nbuckets, 6);
	assert_int_equal(table.at, 0);
	assert_memory_equal(f->words, wanted, sizeof(wanted));
	assert_int_equal(f->words[14], 0xeeeeeeee);
	check_file(f, &table, &file->cfi);
	free(file);
	fixture__free(f);
}

static void test_search(void **state)
{
	static const unsigned int gaps[] = { 1, 2, 7, 40, 500, 1024, 5000 };

	for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
		struct fixture *f = fixture__new(WORDS, RULES);
		struct fs_unwind_table tables[3];
		struct file *files[3];

		for (int k = 0; k < 3; k++) {
			files[k] = file__random(10 * i + k, k * 777777 + i, 2000, gaps[i]);
			add(f, &files[k]->cfi, &tables[k]);
		}
		for (int k = 0; k < 3; k++)
			check_file(f, &tables[k], &files[k]->cfi);
		for (int k = 0; k < 3; k++)
			free(files[k]);
		fixture__free(f);
	}
}

/* A row for each byte: the most that a bucket can have, and the most steps. */
static void test_dense(void **state)
{
	struct fixture *f = fixture__new(WORDS, RULES);
	struct file *file = file__new(20, 1);
	struct fs_unwind_table table;

	for (unsigned int i = 0; i < 4 * BUCKET; i++)
		file__add(file, 0x10000 + i, 1 + i % 19);
	file__add(file, 0x10000 + 4 * BUCKET, 0);
	add(f, &file->cfi, &table);
	for (unsigned int i = 0; i < 4 * BUCKET + 1; i++)
		assert_memory_equal(unwind_tables__rule(f->t, &table, 0x10000 + i),
				    &file->rules[file->rows[i].rule],
				    sizeof(struct fs_unwind_rule));
	free(file);
	fixture__free(f);
}

static void test_other_kinds(void **state)
{
	struct fixture *f = fixture__new(WORDS, RULES);
	struct file *file = file__random(1, 0, 100, 10);
	struct fs_unwind_table table;

	add(f, &file->cfi, &table);
	table.kind = FS_UNWIND_FRAME_POINTERS;
	assert_int_equal(unwind_tables__rule(f->t, &table, 5)->cfa, FS_CFA_NONE);
	free(file);
	fixture__free(f);
}

/* ---- limits ----------------------------------------------------------------------------------- */

/* What was there is there, whatever was tried. */
static void test_words_used_up(void **state)
{
	struct file *file = file__random(3, 100, 60, 100), *other = file__random(4, 5000, 40, 90);
	struct fs_unwind_table table, none;
	size_t first, both;

	struct fixture *f = fixture__new(WORDS, RULES);

	add(f, &file->cfi, &table);
	first = stat_of(f).words;
	add(f, &other->cfi, &none);
	both = stat_of(f).words;
	fixture__free(f);
	for (size_t room = 0; room <= both; room++) {
		struct unwind_tables_stat before;
		int err;

		f = fixture__new(room, RULES);
		err = unwind_tables__add(f->t, &file->cfi, &table);
		assert_int_equal(err, room < first ? -ENOSPC : 0);
		before = stat_of(f);
		assert_int_equal(before.words, room < first ? 0 : first);
		assert_int_equal(before.tables, room >= first);
		if (!err) {
			__u32 *copy = malloc(first * sizeof(*copy));

			memcpy(copy, f->words, first * sizeof(*copy));
			err = unwind_tables__add(f->t, &other->cfi, &none);
			assert_int_equal(err, room < both ? -ENOSPC : 0);
			assert_memory_equal(copy, f->words, first * sizeof(*copy));
			free(copy);
			check_file(f, &table, &file->cfi);
		}
		if (room < both)
			assert_int_equal(stat_of(f).rules, before.rules);
		for (size_t i = room; i < both + 10; i++)
			assert_int_equal(f->words[i], 0xeeeeeeee);
		fixture__free(f);
	}
	free(file);
	free(other);
}

static void test_rules_used_up(void **state)
{
	struct fixture *f = fixture__new(WORDS, 10);
	struct file *four = file__new(5, 1), *six = file__new(7, 3), *five = file__new(6, 5);
	struct fs_unwind_table tables[2];

	for (int i = 1; i <= 4; i++)
		file__add(four, 10 * i, i);
	for (int i = 1; i <= 6; i++)
		file__add(six, 10 * i, i);
	for (int i = 1; i <= 5; i++)
		file__add(five, 10 * i, i);
	file__add(four, 100, 0);
	file__add(six, 100, 0);
	file__add(five, 100, 0);
	/* 1..4; then 3..8, of which 4 are new; two more do not fit, and neither stays; one fits */
	add(f, &four->cfi, &tables[0]);
	assert_int_equal(stat_of(f).rules, 5);
	add(f, &six->cfi, &tables[1]);
	assert_int_equal(stat_of(f).rules, 9);
	assert_int_equal(stat_of(f).max_rules, 10);
	six->rules[1] = rule_no(50);
	six->rules[2] = rule_no(51);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(unwind_tables__add(f->t, &six->cfi, &tables[0]), -ENOSPC);
		assert_int_equal(stat_of(f).rules, 9);
		assert_int_equal(stat_of(f).tables, 2);
	}
	add(f, &five->cfi, &tables[1]);
	assert_int_equal(stat_of(f).rules, 10);
	check_file(f, &tables[1], &five->cfi);
	check_file(f, &tables[0], &four->cfi);
	for (int i = 0; i < 10; i++) {
		struct fs_unwind_rule rule = rule_no(i);

		assert_memory_equal(&f->rules[i], &rule, sizeof(rule));
	}
	assert_int_equal(f->rules[10].cfa, 0xee);
	free(four);
	free(six);
	free(five);
	fixture__free(f);
}

static void test_sparse_files(void **state)
{
	struct fixture *f = fixture__new(WORDS, RULES);
	struct file *wide = file__new(2, 1), *far = file__new(2, 1), *beyond = file__new(2, 1);
	struct file *empty = file__new(1, 1);
	struct fs_unwind_table table;

	file__add(wide, 0, 1);
	file__add(wide, 1ULL << 41, 0);
	assert_int_equal(unwind_tables__add(f->t, &wide->cfi, &table), -ENOSPC);
	file__add(beyond, 1ULL << 43, 1);
	assert_int_equal(unwind_tables__add(f->t, &beyond->cfi, &table), -ENOSPC);
	assert_int_equal(unwind_tables__add(f->t, &empty->cfi, &table), -ENODATA);
	assert_int_equal(stat_of(f).words, 0);
	assert_int_equal(stat_of(f).rules, 1);
	file__add(far, (1ULL << 42) - BUCKET, 1);
	file__add(far, (1ULL << 42) - 1, 0);
	add(f, &far->cfi, &table);
	check_file(f, &table, &far->cfi);
	free(wide);
	free(far);
	free(beyond);
	free(empty);
	fixture__free(f);
}

static void test_no_room_at_all(void **state)
{
	struct fs_unwind_rule rule;
	__u32 word;

	assert_null(unwind_tables__new(&word, 1, &rule, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(unwind_tables__new(&word, 1, NULL, 5));
	assert_int_equal(errno, EINVAL);
	unwind_tables__free(NULL);
}

/* Rules of many files: the slots grow. */
static void test_many_rules(void **state)
{
	enum { MANY = FS_UNWIND_MAX_RULES + 10 };
	struct fs_unwind_rule *rules = calloc(MANY, sizeof(*rules));
	__u32 *words = calloc(8 * MANY, sizeof(*words));
	struct unwind_tables *t = unwind_tables__new(words, 8 * MANY, rules, MANY);
	struct file *file = file__new(RULES, 1);
	struct unwind_tables_stat s;
	int err = 0;

	assert_non_null(t);
	for (unsigned int n = 1; !err; n += RULES - 1) {
		struct fs_unwind_table table;

		file->cfi.nrows = 0;
		for (unsigned int i = 1; i < RULES; i++) {
			file->rules[i] = rule_no(n + i);
			file__add(file, i, i);
		}
		file__add(file, RULES, 0);
		err = unwind_tables__add(t, &file->cfi, &table);
		for (unsigned int i = 1; !err && i < RULES; i++)
			assert_memory_equal(unwind_tables__rule(t, &table, i), &file->rules[i],
					    sizeof(*rules));
	}
	assert_int_equal(err, -ENOSPC);
	unwind_tables__stat(t, &s);
	assert_int_equal(s.max_rules, FS_UNWIND_MAX_RULES);
	assert_true(s.rules <= FS_UNWIND_MAX_RULES && s.rules > FS_UNWIND_MAX_RULES - RULES);
	assert_int_equal((s.rules - 1) % (RULES - 1), 0);
	unwind_tables__free(t);
	free(words);
	free(rules);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),        cmocka_unit_test(test_search),
		cmocka_unit_test(test_dense),         cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_words_used_up), cmocka_unit_test(test_rules_used_up),
		cmocka_unit_test(test_sparse_files),  cmocka_unit_test(test_no_room_at_all),
		cmocka_unit_test(test_many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
