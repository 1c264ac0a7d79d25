/* SPDX-License-Identifier: GPL-2.0-only */
/* .gnu_debugdata: a small ELF object with the symbols that .dynsym lacks, compressed with xz. */
#include <lzma.h>
#include <stdlib.h>

#include "symbol/internal.h"

#define MAX_PACKED   (16U << 20)
#define MAX_UNPACKED (64U << 20)
#define MAX_MEMORY   (64U << 20) /* of the decoder */
#define FIRST_BYTES  (256U << 10)

/* All of it in one allocation; NULL where it is corrupt, too large, or memory is short. */
static unsigned char *unpack(const unsigned char *in, size_t len, size_t *size)
{
	lzma_stream s = LZMA_STREAM_INIT;
	unsigned char *out = NULL, *more;
	size_t room = FIRST_BYTES;
	lzma_ret ret = lzma_stream_decoder(&s, MAX_MEMORY, 0);

	s.next_in = in;
	s.avail_in = len;
	while (ret == LZMA_OK && room <= MAX_UNPACKED) {
		more = realloc(out, room);
		if (!more)
			break;
		out = more;
		s.next_out = out + s.total_out;
		s.avail_out = room - s.total_out;
		ret = lzma_code(&s, LZMA_FINISH);
		room *= 2;
	}
	*size = s.total_out;
	lzma_end(&s);
	if (ret == LZMA_STREAM_END)
		return out;
	free(out);
	return NULL;
}

struct elf_image *read_debugdata(const struct elf_image *img)
{
	const struct elf_section *s = elf_image__section(img, ".gnu_debugdata");
	char *packed = s ? elf_image__section_data(img, s, MAX_PACKED) : NULL;
	unsigned char *data = NULL;
	size_t size;

	if (packed)
		data = unpack((unsigned char *)packed, s->size, &size);
	free(packed);
	return data ? elf_image__of_memory(data, size) : NULL;
}
