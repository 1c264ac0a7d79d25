/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/kind_names.h"
#include "output/flame_impl.h"
#include "output/json.h"
#include "output/report.h"

/* The value, or NULL after an error. */
static json_t *unless(int err, json_t *value)
{
	if (!err)
		return value;
	json_decref(value);
	return NULL;
}

int report_json__member(FILE *f, const char *key, json_t *value)
{
	fprintf(f, ",\"%s\":", key);
	return json_write(f, value);
}

json_t *report_json__lost(const __u64 lost[FS_LOSS_NR], __u64 no_memory)
{
	json_t *object = json_object();
	int i, err = object ? 0 : -ENOMEM;

	for (i = 0; i < FS_LOSS_NR && !err; i++)
		err = json_put(object, loss_name(i), json_integer(lost[i]));
	if (!err)
		err = json_put(object, "no_memory", json_integer(no_memory));
	return unless(err, object);
}

json_t *report_json__texts(const char *const *texts, size_t n)
{
	json_t *array = json_array();
	int err = array ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; i < n && !err; i++)
		err = json_push(array, json_text(texts[i]));
	return unless(err, array);
}

json_t *report_json__stack(const struct profile *profile, __u32 stack)
{
	json_t *array = json_array();
	struct writer name = { 0 };
	size_t n;
	const __u32 *frames = profile__stack(profile, stack, &n);
	int err = array ? 0 : -ENOMEM;

	for (size_t i = n; !err && i-- > 0;) {
		name.len = 0;
		flame_frame__name(&name, profile__frame(profile, frames[i]));
		writer__char(&name, '\0');
		err = name.err ? name.err : json_push(array, json_text(name.buf));
	}
	free(name.buf);
	return unless(err, array);
}
