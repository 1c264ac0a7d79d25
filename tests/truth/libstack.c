/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that are alike but for a name and the size of a frame, to be loaded one after the other at the
 * same address: see stacks.c.
 *
 * build: -O2 -fomit-frame-pointer -shared -fPIC -DNAME=first_library -DROOM=16 -o libstack-a.so
 * build: -O2 -fomit-frame-pointer -shared -fPIC -DNAME=second_library -DROOM=400 -o libstack-b.so
 * build: -O2 -fomit-frame-pointer -shared -fPIC -DNAME=third_library -DROOM=16 -o libstack-c.so
 */
int NAME(int (*call)(unsigned int), unsigned int n);

int NAME(int (*call)(unsigned int), unsigned int n)
{
	volatile char room[ROOM];
	int value;

	room[0] = 1;
	value = call(n) + room[0];
	asm volatile("" : "+r"(value));
	return value;
}
