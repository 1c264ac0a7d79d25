// SPDX-License-Identifier: GPL-2.0-only
/* features: what this kernel allows, what is used, what takes its place, and what that costs. */
#include <string.h>
#include <sys/utsname.h>

#include "commands.h"
#include "live/session.h"
#include "output/feature_list.h"

/* Page tables are found by a program that runs: load, but attach nothing. */
static int settle(struct features *f)
{
	struct session_opts opts = { .faults = true, .calls = true, .wake_fd = -1, .regions = ~0U };
	enum session_result result = SESSION_OK;
	struct session *s;

	if (features__check(f))
		return STATUS_CANNOT;
	s = session__open(&opts, f, &result);
	session__close(s);
	return result;
}

static void fill_line(struct feature_line *line, const struct features *f, enum feature_id id)
{
	const struct feature_row *row = feature_row(id);
	const struct feature_state *st = &f->state[id];

	*line = (struct feature_line){
		.name = row->name,
		.state = st->left_out  ? "left out" :
			 st->available ? "used" :
					 "missing",
		.what = row->what,
		.why = st->left_out ? "--without" : st->why,
		.fallback = row->fallback,
		.loss = row->loss,
		.used = features__use(f, id),
	};
}

int cmd_features(const struct options *o)
{
	struct feature_line lines[FEATURE_NR];
	struct features f;
	struct utsname uts;
	int status = STATUS_USAGE;
	FILE *out;

	if (features__probe(&f, o->common.without.names, o->common.without.n))
		goto out;
	status = STATUS_CANNOT;
	if (features__check_rights())
		goto out;
	status = settle(&f);
	out = options__open_output(o);
	if (!out) {
		status = STATUS_FAILED;
		goto out;
	}
	uname(&uts);
	for (int i = 0; i < FEATURE_NR; i++)
		fill_line(&lines[i], &f, i);
	feature_list__print(out, o->common.format, lines, FEATURE_NR, uts.release, uts.machine);
	if (options__close_output(out) && !status)
		status = STATUS_FAILED;
out:
	features__clear(&f);
	return status;
}
