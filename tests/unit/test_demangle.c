/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "symbol/demangle.h"
#include "symbols.h"

static char out[DEMANGLED_MAX];

static void test_known(void **state)
{
	/* c++filt -i -p and rustfilt give these; so does perf script */
	static const struct {
		const char *mangled, *name;
	} rows[] = {
		{ "main", "main" },
		{ "", "" },
		{ "_", "_" },
		{ "_Z", "_Z" },
		{ "__libc_start_main", "__libc_start_main" },
		{ "_ZN3foo3barIiEEvT_", "foo::bar<int>" },
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi",
		  "std::vector<int, std::allocator<int> >::push_back" },
		{ "_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run" },
		{ "_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()" },
		{ "_ZN1AC2Ei", "A::A" },
		{ "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
		  "core::fmt::Formatter::write_str" },
		{ "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar"
		  "17h930b740aa94f1d3aE",
		  "<Test + 'static as foo::Bar<Test>>::bar" },
		{ "_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function" },
		{ "_RINvNtC3std3mem8align_ofjE", "std::mem::align_of::<usize>" },
		{ "_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3new",
		  "<std::path::PathBuf>::new" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(demangle(rows[i].mangled, out), rows[i].name);
}

static void test_like_cxxfilt(void **state)
{
	char **names = lines_of("for l in /usr/lib/*/libstdc++.so.6; do nm -D --defined-only $l; "
				"done 2>/dev/null | awk '$2 ~ /[TW]/ { sub(/@.*/, \"\", $3); "
				"print $3 }' | head -n 6000");
	char **same = names && names[0] ? lines_of("for l in /usr/lib/*/libstdc++.so.6; do "
						   "nm -D --defined-only $l; done | awk '$2 ~ "
						   "/[TW]/ { sub(/@.*/, \"\", $3); print $3 }' | "
						   "head -n 6000 | c++filt -i -p") :
					  NULL;
	size_t n = 0, wrong = 0;

	for (; same && names[n] && same[n]; n++) {
		/* with names that are no functions' c++filt has more to say */
		if (strcmp(demangle(names[n], out), same[n]) && wrong++ < 5)
			print_message("%s: %s, c++filt: %s\n", names[n], out, same[n]);
	}
	free(names);
	free(same);
	if (!n)
		skip();
	assert_int_equal(wrong, 0);
}

static void test_hostile(void **state)
{
	static char name[9000];

	/* deep, beyond what is demangled, and just below */
	for (size_t len = 1000; len < sizeof(name); len += 773) {
		memset(name, 'P', len);
		memcpy(name, "_Z1fI", 5);
		strcpy(name + len - 2, "iE");
		demangle(name, out);
		memset(name, 'N', len);
		memcpy(name, "_ZN", 3);
		name[len] = '\0';
		demangle(name, out);
		memset(name, 'R', len);
		memcpy(name, "_RNvC", 5);
		demangle(name, out);
	}
	/* each part is twice the one before: 2^60 bytes */
	strcpy(name, "_Z1fI");
	strcat(name, "1AIiE");
	for (int i = 0; i < 60; i++) {
		char part[32];

		snprintf(part, sizeof(part), "St4pairIS%c_S%c_E", i < 10 ? '0' + i : 'A' + i % 26,
			 i < 10 ? '0' + i : 'A' + i % 26);
		strcat(name, part);
	}
	strcat(name, "E");
	demangle(name, out);
	for (int i = 0; i < 200000; i++) {
		static const char letters[] = "_ZNRSIEKPTCvibfst0123456789$.17hLXJDpFM";
		size_t len = 2 + rand() % 60;

		for (size_t j = 2; j < len; j++)
			name[j] = letters[rand() % (sizeof(letters) - 1)];
		name[0] = '_';
		name[1] = i & 1 ? 'Z' : 'R';
		name[len] = '\0';
		assert_non_null(demangle(name, out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_like_cxxfilt),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
