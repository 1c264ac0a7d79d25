// SPDX-License-Identifier: GPL-2.0-only
// What moves in the flame graph: zoom, search, details, keys. No resources, no eval, no markup made
// from text: names reach the page as text nodes only.
(function () {
"use strict";

var NS = "http://www.w3.org/2000/svg";
var XHTML = "http://www.w3.org/1999/xhtml";
var script = document.currentScript;
var svg = (script && script.ownerSVGElement) || document.documentElement;
var unit = svg.getAttribute("data-unit");
var inverted = svg.getAttribute("data-inverted") === "1";
var ROW = 18, MARGIN = 10;
var OUTSIDE = 0, ABOVE = 1, BELOW = 2;
var head = byId("head"), foot = byId("foot"), details = byId("details"), matched = byId("matched");
var headHeight = Number(head.getAttribute("data-height"));
var footHeight = Number(foot.getAttribute("data-height"));
var rows = Array.from(svg.querySelectorAll("g.row"));
var frames = [];
var root, zoomed, current = null, hits = null;
var width = 1200, height, columnWidth = 7.2;
var idle = details.textContent;
var heading = byId("title"), headingText = heading.textContent;
var sub = byId("sub"), subText = sub.textContent;

function byId(id) {
	return svg.querySelector("#" + id);
}

// Each frame's group has its start and weight, and a title: name, object if known, figures.
rows.forEach(function (row, depth) {
	var last = null;

	for (var g = row.firstElementChild; g; g = g.nextElementSibling) {
		var title = g.firstElementChild, lines = title.textContent.split("\n");
		var frame = {
			g: g, depth: depth, rect: title.nextElementSibling,
			text: title.nextElementSibling.nextElementSibling,
			start: Number(g.getAttribute("data-s")), weight: Number(g.getAttribute("data-w")),
			name: lines[0], object: lines.length > 2 ? lines[1] : "",
			figures: lines[lines.length - 1], left: last, right: null, kids: [], up: null,
			shown: true, above: false, hit: false, part: BELOW
		};
		if (last)
			last.right = frame;
		last = frame;
		g.frame = frame;
		frames.push(frame);
	}
});
root = zoomed = frames[0];

// Rows are in the order of their starts: parents are found by going along both.
(function () {
	var at = 0, before = 0, first = 0;

	for (var depth = 1; at < frames.length && frames[at].depth === 0; at++)
		first = at + 1;
	for (; at < frames.length; at++) {
		var f = frames[at];

		if (f.depth !== depth) {
			depth = f.depth;
			before = first;
			first = at;
		}
		// By the middle: beyond 2^53 the ends are rounded.
		while (before < first - 1 &&
		       frames[before].start + frames[before].weight < f.start + f.weight / 2)
			before++;
		f.up = frames[before];
		f.up.kids.push(f);
	}
})();

function percent(part, whole) {
	return (whole ? 100 * part / whole : 0).toFixed(2) + "%";
}

function three(v) {
	return v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2);
}

// As the titles have it.
function figure(v) {
	var names, step = unit === "bytes" ? 1024 : 1000, i = 0;

	if (unit === "faults")
		return v.toLocaleString("en-US") + (v === 1 ? " fault" : " faults");
	names = unit === "bytes" ? ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] :
				   ["ns", "us", "ms", "s"];
	while (i + 1 < names.length && v >= step) {
		v /= step;
		i++;
	}
	return (i === 0 ? v : unit === "bytes" ? v.toFixed(1) : three(v)) + " " + names[i];
}

// ---- layout ----

// Columns that a name takes in a monospaced font: two for what may be wide.
function columns(character) {
	return character.codePointAt(0) < 0x1100 ? 1 : 2;
}

function fitted(name, room) {
	var used = 0, out = "", end = "";

	if (room < 3)
		return "";
	if (name.length * 2 <= room)
		return name;
	for (var c of name) {
		used += columns(c);
		if (used > room)
			return end + "\u2026";
		out += c;
		if (used <= room - 1)
			end = out;
	}
	return out;
}

function label(f, x, w) {
	var text = fitted(f.name, Math.floor((w - 7) / columnWidth));

	if (!text) {
		if (f.text)
			f.text.style.display = "none";
		return;
	}
	if (!f.text) {
		f.text = document.createElementNS(NS, "text");
		f.text.setAttribute("y", "12.5");
		f.g.appendChild(f.text);
	}
	f.text.style.display = "";
	f.text.setAttribute("x", (x + 4).toFixed(1));
	if (f.text.textContent !== text)
		f.text.textContent = text;
}

function show(f, shown) {
	if (f.shown !== shown)
		f.g.style.display = shown ? "" : "none";
	f.shown = shown;
}

function place(f, scale) {
	var above = f.part === ABOVE, x, w;

	if (f.part === OUTSIDE) {
		show(f, false);
		return;
	}
	x = MARGIN + (above ? 0 : (f.start - zoomed.start) * scale);
	w = above ? width - 2 * MARGIN : f.weight * scale;
	show(f, w >= 0.1);
	if (w < 0.1)
		return;
	if (f.above !== above)
		f.g.classList.toggle("above", above);
	f.above = above;
	f.rect.setAttribute("x", x.toFixed(2));
	f.rect.setAttribute("width", Math.max(w - (w > 3 ? 0.6 : 0), 0.1).toFixed(2));
	label(f, x, w);
}

// Which part each frame has in what is zoomed.
function takeParts() {
	var below = [zoomed], f;

	frames.forEach(function (other) { other.part = OUTSIDE; });
	for (f = zoomed.up; f; f = f.up)
		f.part = ABOVE;
	while (below.length) {
		f = below.pop();
		f.part = BELOW;
		below.push.apply(below, f.kids);
	}
}

function pin() {
	var top = window.scrollY || 0, bottom = Math.min(height, top + window.innerHeight);

	head.setAttribute("transform", "translate(0," + top + ")");
	foot.setAttribute("transform", "translate(0," + (bottom - footHeight) + ")");
}

function layout() {
	var scale = (width - 2 * MARGIN) / (zoomed.weight || 1);

	takeParts();
	frames.forEach(function (f) { place(f, scale); });
	byId("reset").disabled = zoomed === root;
}

function resize() {
	width = Math.max(480, document.documentElement.clientWidth || window.innerWidth || 1200);
	if (svg !== document.documentElement)
		width = Math.max(480, svg.parentNode.clientWidth || 1200);
	height = headHeight + rows.length * ROW + footHeight;
	svg.setAttribute("width", width);
	svg.setAttribute("height", height);
	svg.setAttribute("viewBox", "0 0 " + width + " " + height);
	rows.forEach(function (row, depth) {
		var y = headHeight + ROW * (inverted ? depth : rows.length - 1 - depth);

		row.setAttribute("transform", "translate(0," + y + ")");
	});
	svg.querySelectorAll(".wide").forEach(function (e) { e.setAttribute("width", width); });
	byId("legend").setAttribute("transform", "translate(" + (width - MARGIN) + ",0)");
	matched.setAttribute("x", width - MARGIN);
	tools.setAttribute("x", width - MARGIN - 430);
	put(heading, headingText, width - 430 - 3 * MARGIN);
	put(sub, subText, width - byId("legend").getBBox().width - 5 * MARGIN);
	pin();
	layout();
}

// ---- what is said ----

// Put a text into an element, cut to a width; the whole is its tooltip then.
function put(element, text, room) {
	var low = 0, high = text.length, middle, title;

	element.textContent = text;
	if (element.getComputedTextLength() <= room)
		return;
	while (low < high) {
		middle = (low + high + 1) >> 1;
		if (element.getSubStringLength(0, middle) <= room - 12)
			low = middle;
		else
			high = middle - 1;
	}
	if (low && /[\ud800-\udbff]/.test(text[low - 1]))
		low--;
	element.textContent = text.slice(0, low) + "\u2026";
	title = document.createElementNS(NS, "title");
	title.textContent = text;
	element.appendChild(title);
}

function say(f) {
	var text;

	if (!f) {
		put(details, idle, width);
		return;
	}
	text = f.name + (f.object ? "  \u2014  " + f.object : "") + "  \u2014  " + f.figures;
	if (zoomed !== root && f !== zoomed && f.part === BELOW)
		text += ", " + percent(f.weight, zoomed.weight) + " of what is zoomed";
	put(details, text, width - 2 * MARGIN - 2 * ROW - matched.getComputedTextLength());
}

// ---- zoom ----

function zoom(f) {
	zoomed = f;
	layout();
	count();
	say(f === root ? null : f);
	if (height > window.innerHeight)
		f.g.scrollIntoView({ block: "center" });
}

// ---- search ----

// The weight of what matches, each part of the width once.
function count() {
	var sum = 0, end = -1;

	if (!hits) {
		matched.textContent = "";
		return;
	}
	hits.filter(function (f) {
		return f.shown && !f.above;
	}).sort(function (a, b) {
		return a.start - b.start || b.weight - a.weight;
	}).forEach(function (f) {
		if (f.start >= end) {
			sum += f.weight;
			end = f.start + f.weight;
		}
	});
	matched.textContent = "matched " + figure(sum) + ", " + percent(sum, zoomed.weight);
}

// Without a capital letter in the expression, capitals do not matter.
function search(expression) {
	var re = null;

	box.classList.remove("bad");
	if (expression) {
		try {
			re = new RegExp(expression, /[A-Z]/.test(expression) ? "u" : "iu");
		} catch (e) {
			box.classList.add("bad");
			hits = null;
			matched.textContent = "no regular expression";
			return;
		}
	}
	hits = re && [];
	frames.forEach(function (f) {
		var hit = Boolean(re && f.depth && re.test(f.name));

		if (hit)
			hits.push(f);
		if (hit !== f.hit)
			f.g.classList.toggle("hit", hit);
		f.hit = hit;
	});
	count();
}

// ---- tools, made here since they do nothing without it ----

function element(name, parent, text) {
	var e = document.createElementNS(XHTML, name);

	if (text)
		e.textContent = text;
	parent.appendChild(e);
	return e;
}

function button(id, text, hint, action) {
	var e = element("button", bar, text);

	e.id = id;
	e.type = "button";
	e.title = hint;
	e.addEventListener("click", action);
	return e;
}

var tools = document.createElementNS(NS, "foreignObject");
tools.setAttribute("y", "9");
tools.setAttribute("width", "430");
tools.setAttribute("height", "32");
head.appendChild(tools);
var bar = element("div", tools);
bar.id = "tools";
var box = element("input", bar);
box.type = "search";
box.id = "search";
box.placeholder = "Search: regular expression";
box.title = "Ctrl-F or /";
box.setAttribute("aria-label", "Search frames by regular expression");
box.addEventListener("input", function () { search(box.value); });
button("reset", "Reset zoom", "Escape", function () { zoom(root); });
button("invert", "Invert", "Root at the other end", function () {
	inverted = !inverted;
	resize();
});

// ---- mouse and keys ----

function frameOf(event) {
	var g = event.target.closest && event.target.closest("g[data-w]");

	return g ? g.frame : null;
}

function focusOn(f) {
	if (current)
		current.g.classList.remove("current");
	current = f;
	if (f) {
		f.g.classList.add("current");
		f.g.parentNode.appendChild(f.g);
		f.g.scrollIntoView({ block: "nearest" });
	}
	say(f);
}

function visible(f) {
	return f && f.shown ? f : null;
}

function widest(list) {
	return list.reduce(function (best, f) {
		return f.shown && (!best || f.weight > best.weight) ? f : best;
	}, null);
}

function move(key) {
	var up = inverted ? "ArrowDown" : "ArrowUp", f = current || zoomed;

	if (!current)
		return f;
	if (key === "ArrowLeft")
		return visible(f.left) || f;
	if (key === "ArrowRight")
		return visible(f.right) || f;
	return (key === up ? widest(f.kids) : f.up) || f;
}

function typed(event) {
	var inside = event.target === box || (event.target.closest && event.target.closest("#tools"));

	if ((event.key === "f" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !inside)) {
		box.focus();
		box.select();
	} else if (event.key === "Escape") {
		if (event.target === box || hits) {
			box.value = "";
			search("");
			box.blur();
		} else {
			focusOn(null);
			zoom(root);
		}
	} else if (inside || event.ctrlKey || event.metaKey || event.altKey) {
		return;
	} else if (/^Arrow/.test(event.key)) {
		focusOn(move(event.key));
	} else if (event.key === "Enter" && current) {
		zoom(current);
	} else {
		return;
	}
	event.preventDefault();
}

svg.addEventListener("click", function (event) {
	var f = frameOf(event);

	if (f)
		zoom(f);
});
svg.addEventListener("mouseover", function (event) {
	var f = frameOf(event);

	if (f)
		say(f);
});
svg.addEventListener("mouseout", function (event) {
	if (frameOf(event))
		say(current);
});
window.addEventListener("keydown", typed);
window.addEventListener("resize", resize);
window.addEventListener("scroll", pin);

(function () {
	var probe = document.createElementNS(NS, "text");

	probe.textContent = "0123456789";
	rows[0].appendChild(probe);
	columnWidth = probe.getComputedTextLength() / 10 || columnWidth;
	probe.remove();
})();
resize();
if (!inverted && height > window.innerHeight)
	window.scrollTo(0, height);
})();
