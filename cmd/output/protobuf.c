/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/protobuf.h"

enum { WIRE_VARINT = 0, WIRE_LEN = 2 };

void protobuf__varint(struct writer *w, __u64 v)
{
	unsigned char bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = v | 0x80;
	bytes[n++] = v;
	writer__mem(w, bytes, n);
}

void protobuf__u64(struct writer *w, unsigned int field, __u64 v)
{
	if (!v)
		return;
	protobuf__varint(w, field << 3 | WIRE_VARINT);
	protobuf__varint(w, v);
}

void protobuf__bytes(struct writer *w, unsigned int field, const void *bytes, size_t n)
{
	protobuf__varint(w, field << 3 | WIRE_LEN);
	protobuf__varint(w, n);
	writer__mem(w, bytes, n);
}

void protobuf__message(struct writer *w, unsigned int field, struct writer *message)
{
	protobuf__bytes(w, field, message->buf, message->len);
	if (message->err && !w->err)
		w->err = message->err;
	message->len = 0;
}
