/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "base/kind_names.h"

/* Of headers that are older than the calls: include/uapi/asm-generic/unistd.h, syscall_64.tbl */
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack 453 /* Linux 6.6 */
#endif
#ifndef __NR_mseal
#define __NR_mseal 462 /* Linux 6.10 */
#endif

/* Every name leads back to its number, so none stands twice, and every kind is explained. */
static void test_names_lead_back(void **state)
{
	int i;

	for (i = 0; i < FS_REGION_NR; i++) {
		assert_int_equal(region_parse(region_name(i)), i);
		assert_true(strlen(region_desc(i)) > 5);
	}
	for (i = 0; i < FS_CLASS_NR; i++) {
		assert_int_equal(class_parse(class_name(i)), i);
		assert_true(strlen(class_desc(i)) > 5);
	}
	for (i = 0; i < FS_CALL_NR; i++)
		assert_int_equal(call_parse(call_name(i)), i);
	for (i = 0; i < FS_LOSS_NR; i++)
		assert_true(strlen(loss_desc(i)) > 5);
}

static void test_spelling(void **state)
{
	assert_string_equal(region_name(FS_REGION_THREAD_STACK), "thread-stack");
	assert_string_equal(region_name(FS_REGION_ANON_EXEC), "anon-exec");
	assert_int_equal(region_parse("heap"), FS_REGION_HEAP);
	assert_int_equal(region_parse("none"), FS_REGION_NONE);
	assert_int_equal(class_parse("cow"), FS_CLASS_COW);
	assert_int_equal(class_parse("fixup"), FS_CLASS_FIXUP);
	assert_string_equal(access_name(FS_ACCESS_EXEC), "exec");
	assert_string_equal(loss_name(FS_LOSS_MISSED), "missed");
	assert_string_equal(call_name(FS_CALL_MUNMAP), "munmap");
}

static void test_no_such_kind(void **state)
{
	static const char *const words[] = { "", "Heap", "heap ", " heap", "hea", "heapp", "0" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(region_parse(words[i]), -1);
		assert_int_equal(class_parse(words[i]), -1);
		assert_int_equal(call_parse(words[i]), -1);
	}
	/* a newer recording's */
	assert_string_equal(region_name(FS_REGION_NR), "unknown");
	assert_string_equal(class_name(200), "unknown");
	assert_string_equal(access_name(200), "?");
	assert_string_equal(loss_name(200), "?");
	assert_string_equal(call_name(200), "?");
	assert_non_null(region_desc(200));
	assert_int_equal(call_nargs(200), 0);
}

static void test_call_nargs(void **state)
{
	assert_int_equal(call_nargs(FS_CALL_MMAP), 6);
	assert_int_equal(call_nargs(FS_CALL_MREMAP), 5);
	assert_int_equal(call_nargs(FS_CALL_BRK), 1);
	assert_int_equal(call_nargs(FS_CALL_MUNLOCKALL), 0);
	assert_int_equal(call_nargs(FS_CALL_PKEY_MPROTECT), 4);
	assert_int_equal(call_nargs(FS_CALL_IOCTL), 3);
}

/* kinds.h says that a symbol is that of __NR_<name>: else the probes would watch another call. */
static void test_call_symbols(void **state)
{
#define X(sym, name, nargs)                                   \
	assert_string_equal(call_name(FS_CALL_##sym), #name); \
	assert_true(__NR_##name >= 0);
	FS_CALLS(X)
#undef X
}

static void test_decided_by(void **state)
{
	assert_true(region_by_vma(FS_REGION_HEAP));
	assert_true(region_by_vma(FS_REGION_SHM));
	assert_false(region_by_vma(FS_REGION_BSS));
	assert_false(region_by_vma(FS_REGION_THREAD_STACK));
	assert_false(region_by_vma(200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_lead_back), cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_no_such_kind),    cmocka_unit_test(test_call_nargs),
		cmocka_unit_test(test_call_symbols),    cmocka_unit_test(test_decided_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
