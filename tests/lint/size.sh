# SPDX-License-Identifier: GPL-2.0-only
# Functions of at most 80 lines between their braces, files of at most 600.
. tests/lint/files

project_files bpf cmd include | grep '\.[ch]$' | xargs -d '\n' awk '
FNR == 1 { lines(); file = FILENAME; start = 0 }
{ last = FNR }
# kernel style: only a function has its braces alone in the first column
/^{$/ { start = FNR; name = before }
/^}$/ && start {
	if (FNR - start - 1 > 80)
		found(file ":" start ": " FNR - start - 1 " lines in one function: " name)
	start = 0
}
!/^[ \t{}#\/]/ && NF { before = $0 }
END { lines(); exit bad }
function found(text) { print text; bad = 1 }
function lines() { if (last > 600) found(file ":" last ": " last " lines in one file") }
'
