/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches N pages in a function of which the callers are known, and maps their memory in another:
 * `chain N`. main calls outer, outer calls middle, middle calls inner, which touches; main calls
 * mapper, which maps. Without frame pointers, and without calls that are jumps.
 *
 * build: -O2 -fomit-frame-pointer -o chain
 */
#include "truth.h"

#define STEP __attribute__((noinline, noclone))
#define END  __asm__ volatile("" ::: "memory") /* so that what is before it is no tail call */

static STEP void inner(volatile char *mem, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		mem[i * 4096UL] = 1;
	END;
}

static STEP void middle(volatile char *mem, unsigned int n)
{
	volatile char local[200]; /* a frame of its own size */

	local[n % 200] = 1;
	inner(mem, n);
	(void)local[0];
}

static STEP void outer(volatile char *mem, unsigned int n)
{
	middle(mem, n);
	END;
}

static STEP char *mapper(unsigned int n)
{
	char *mem = truth_anon(n);

	END;
	return mem;
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? truth_number(argv[1]) : 0;
	char *mem;

	truth_init(0);
	mem = mapper(n + 1);
	outer(mem, n);
	printf("start=0x%lx\nend=0x%lx\n", (unsigned long)mem, (unsigned long)mem + n * 4096UL);
	return 0;
}
