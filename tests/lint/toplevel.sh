# SPDX-License-Identifier: GPL-2.0-only
# The top level of the repository has these names, dotfiles, and no other.
. tests/lint/files

project_files | cut -d/ -f1 | sort -u |
	grep -vxE 'bpf|cmd|include|tests|vmlinux|Makefile|README\.md|LICENSE|\..*' |
	sed 's/$/:1: does not belong at the top level/' | grep . && exit 1
exit 0
