# SPDX-License-Identifier: GPL-2.0-only
# Sources are as clang-format 14 writes them: "make format" does it. Other versions differ in
# details, so they are not asked.
. tests/lint/files

for tool in "${CLANG_FORMAT:-clang-format-14}" clang-format; do
	"$tool" --version 2>/dev/null | grep -q 'version 14\.' && break
	tool=
done
[ -n "$tool" ] || { echo "clang-format 14 is not here"; exit 77; }

project_files bpf cmd include tests | grep '\.[ch]$' | while IFS= read -r file; do
	line=$("$tool" "$file" | diff "$file" - | sed -n '1s/[^0-9].*//p')
	[ -z "$line" ] || echo "$file:$line: not as clang-format has it: make format"
done | grep . && exit 1
exit 0
