/* SPDX-License-Identifier: GPL-2.0-only */
/* What all JSON outputs need beyond jansson. */
#ifndef FS_JSON_H
#define FS_JSON_H

#include <stdio.h>
#include <jansson.h>
#include <linux/types.h>

/* A string from raw bytes: what is no UTF-8 becomes U+FFFD. NULL: no memory. */
json_t *json_text(const char *raw);

/* An address, as "0x7f0012345000": JavaScript has no numbers beyond 2^53. NULL: no memory. */
json_t *json_addr(__u64 addr);

/*
 * Put a member into an object, or append to an array. Takes over the reference to value, also when
 * it fails: -ENOMEM, which it returns as well where value is NULL.
 */
int json_put(json_t *object, const char *key, json_t *value);
int json_push(json_t *array, json_t *value);

/*
 * Write a value without blanks and newlines, real numbers with 15 digits. Takes over the reference.
 * 0, -ENOMEM (also where value is NULL), -EIO; what is on the stream then is no JSON any more.
 */
int json_write(FILE *f, json_t *value);

#endif /* FS_JSON_H */
