# SPDX-License-Identifier: GPL-2.0-only
# Who may include whom: main -> cmd files -> rooms -> base, include. Rooms on one line do not know
# each other but for the exceptions below, and each library belongs to one room.
. tests/lint/files

# main.c and the cmd files may include every room; what is listed here is what the others may
allowed='
base      base
analysis  analysis base region/space.h region/layout.h region/smaps.h region/pagemap.h region/ranges.h
live      live base
output    output base symbol analysis/*row* analysis/stat.h analysis/profile.h region/space.h
recording recording base
region    region base symbol/elf.h
symbol    symbol base
tui       tui base analysis/*row* analysis/stat.h
'
# Headers of a library, by the beginning of their names, and the room that may use them
libraries='
bpf/ live
libelf.h symbol
gelf.h symbol
elfutils/ symbol
dwarf.h symbol
lzma.h symbol
libiberty/ symbol
jansson.h output
ncurses.h tui
curses.h tui
'

project_files bpf cmd include | grep '\.[ch]$' | xargs -d '\n' \
	awk -v allowed="$allowed" -v libraries="$libraries" '
BEGIN {
	n = split(allowed, rows, "\n")
	for (i = 1; i <= n; i++) {
		m = split(rows[i], word, " ")
		for (j = 2; j <= m; j++)
			may[word[1], j - 1] = word[j]
		if (m)
			count[word[1]] = m - 1
	}
	n = split(libraries, rows, "\n")
	for (i = 1; i <= n; i++)
		if (split(rows[i], word, " ") == 2)
			library[word[1]] = word[2]
}
function exists(path,   line, got) { got = (getline line < path) >= 0; close(path); return got }
function found(reason) { print FILENAME ":" FNR ": " reason; bad = 1 }
function matches(path, rule) {
	if (rule !~ /\//)
		return index(path, rule "/") == 1
	gsub(/\./, "\\.", rule); gsub(/\*/, "[^/]*", rule)
	return path ~ "^" rule "$"
}
# room of a file: include, bpf, top (main and the cmd files), or the directory below cmd/
function room_of(path,   part, n) {
	n = split(path, part, "/")
	return part[1] != "cmd" ? part[1] : n == 2 ? "top" : part[2]
}
function quoted(name, room,   i) {
	if (name == "vmlinux.h" || name ~ /\.bpf\.h$/) {
		if (room != "bpf" || name ~ /\//)
			found(name " belongs to bpf/")
		return
	}
	if (name ~ /\.skel\.h$/) {
		if (room != "live")
			found("only cmd/live includes the skeleton")
		return
	}
	if (name ~ /\.\./) { found("write \"room/file.h\", not " name); return }
	if (exists("include/" name))
		return
	if (room == "include" || room == "bpf") { found(room "/ may include no " name); return }
	if (room == "top")
		return
	if (!exists("cmd/" name)) {
		if (exists("cmd/" room "/" name))
			found("write \"" room "/" name "\"")
		return
	}
	for (i = 1; i <= count[room]; i++)
		if (matches(name, may[room, i]))
			return
	found("cmd/" room " may not include " name)
}
function angled(name, room,   key) {
	for (key in library)
		if (index(name, key) == 1 && room != library[key] && !(key == "bpf/" && room == "bpf"))
			found("<" name "> belongs to cmd/" library[key])
	if (room == "include" && name !~ /^(linux\/|std(bool|def|int)\.h$)/)
		found("include/ is freestanding: no <" name ">")
	if (room == "bpf" && name !~ /^bpf\/|^std(bool|def|int)\.h$/)
		found("bpf/ may include no <" name ">")
}
match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]+[">]/) {
	text = substr($0, RSTART, RLENGTH)
	name = text
	sub(/^[^"<]*["<]/, "", name); sub(/[">]$/, "", name)
	room = room_of(FILENAME)
	if (text ~ /"/)
		quoted(name, room)
	else
		angled(name, room)
}
END { exit bad }
'
