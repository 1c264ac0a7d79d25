/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TRUTH_TEXT_H
#define TRUTH_TEXT_H

#ifdef __arm__
#define TRUTH_RET "bx lr"
#else
#define TRUTH_RET "ret"
#endif

/* 32 functions that return at once, 64 KiB apart: the first one is `name`. */
#define TRUTH_TEXT(name)                                          \
	__asm__(".pushsection .text." #name ",\"ax\",%progbits\n" \
		".balign 65536\n"                                 \
		".globl " #name "\n"                              \
		".type " #name ",%function\n" #name ":\n"         \
		".rept 32\n"                                      \
		"	.balign 65536\n"                                \
		"	" TRUTH_RET "\n"                          \
		".endr\n"                                         \
		"	.balign 65536\n"                                \
		".popsection\n")

#endif /* TRUTH_TEXT_H */
