/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A shared object with known pages of data, bss, text and rodata, for regions.c to load. The
 * text and rodata blocks are 64 KiB apart, the reach of one fault-around.
 *
 * build: -shared -fPIC -o libtruth.so
 * build32: -shared -fPIC -o libtruth32.so
 */
#include "text.h"

#define PAGES 256
#define PAGE  4096

unsigned char lib_data[PAGES * PAGE] __attribute__((aligned(PAGE))) = { 1 };
unsigned char lib_bss[PAGES * PAGE] __attribute__((aligned(PAGE)));
const unsigned char lib_rodata[32 * 65536] __attribute__((aligned(65536))) = { 1 };

TRUTH_TEXT(lib_text);
