/* SPDX-License-Identifier: GPL-2.0-only */
/* How results are written. */
#ifndef FS_FORMAT_H
#define FS_FORMAT_H

enum format {
	FORMAT_TEXT,
	FORMAT_JSON, /* -j */
	FORMAT_CSV,  /* --csv */
};

#endif /* FS_FORMAT_H */
