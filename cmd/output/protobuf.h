/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Protocol buffers, written: https://protobuf.dev/programming-guides/encoding/. A message within
 * another is put together in a writer of its own, since its length comes first.
 */
#ifndef FS_PROTOBUF_H
#define FS_PROTOBUF_H

#include "output/writer.h"

/* A varint without a field, for packed repeated numbers. */
void protobuf__varint(struct writer *w, __u64 v);

/* A field of type int64, uint64 or bool; 0 is the default and takes no bytes. */
void protobuf__u64(struct writer *w, unsigned int field, __u64 v);

/* A field of type string, bytes or message, or packed numbers: n bytes, also where n is 0. */
void protobuf__bytes(struct writer *w, unsigned int field, const void *bytes, size_t n);

/* A message from its writer, which is emptied for the next one; its error is handed on. */
void protobuf__message(struct writer *w, unsigned int field, struct writer *message);

#endif /* FS_PROTOBUF_H */
