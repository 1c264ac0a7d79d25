# SPDX-License-Identifier: GPL-2.0-only
# Every source says its licence in its first line, below #! in its second.
. tests/lint/files

project_files | grep -E '\.([chS]|py|sh|mk)$|(^|/)(Makefile|run)$' | while IFS= read -r file; do
	line=$(sed -n '1{/^#!/!{p;q}}; 2{p;q}' "$file")
	case $line in
	*SPDX-License-Identifier:\ GPL-2.0-only*) ;;
	*) echo "$file:1: no SPDX-License-Identifier: GPL-2.0-only" ;;
	esac
done | grep . && exit 1
exit 0
