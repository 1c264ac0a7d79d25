/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "output/json.h"

json_t *json_text(const char *raw)
{
	size_t len = strlen(raw), size = 3 * len + 1;
	char shorter[256], *clean = shorter;
	json_t *value;

	if (size > sizeof(shorter)) {
		clean = malloc(size);
		if (!clean)
			return NULL;
	}
	len = text_utf8_clean(clean, size, raw, len);
	value = json_stringn(clean, len);
	if (clean != shorter)
		free(clean);
	return value;
}

json_t *json_addr(__u64 addr)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)addr);
	return json_string(text);
}

int json_put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) ? -ENOMEM : 0;
}

int json_push(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) ? -ENOMEM : 0;
}

int json_write(FILE *f, json_t *value)
{
	int err = 0;

	if (!value)
		return -ENOMEM;
	if (json_dumpf(value, f, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)))
		err = ferror(f) ? -EIO : -ENOMEM;
	json_decref(value);
	return err;
}
