# SPDX-License-Identifier: GPL-2.0-only
# No path of the machine that a file was written on.
. tests/lint/files

paths='(^|[^[:alnum:]_.])/([w]ork|[h]ome|[U]sers|[r]oot)/[[:alnum:]_.]'
project_files | xargs -d '\n' grep -HnIE "$paths" && exit 1
exit 0
