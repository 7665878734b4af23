"use strict";
// Enhances a page that is complete without it. Text from the record reaches the page as
// textContent only, and nothing is loaded from anywhere.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const said = document.getElementById("said");
const say = (words) => { said.textContent = words; };
const make = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};
const link = (words, click, more = {}) => make("button", { type: "button", class: "link", on: { click }, ...more }, words);
const count = (n) => n.toLocaleString("en-US");
const slug = (words) => words.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "x";

// --- Files ---------------------------------------------------------------------------------

const save = (blob, name) => {
  const url = URL.createObjectURL(blob);
  const anchor = make("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`${name} saved`);
};
const saveText = (text, name, type) => save(new Blob([text], { type: `${type};charset=utf-8` }), name);

const copy = async (text, what) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages opened from a folder may have no clipboard of the modern kind.
    const area = make("textarea", { class: "aside", readonly: "" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) { say("The browser refused to copy; save the CSV instead"); return false; }
  }
  say(`${what} copied`);
  return true;
};

// RFC 4180, with an apostrophe before what a spreadsheet would run.
const field = (text) => {
  const guarded = /^[=+@\t\r]/.test(text) || (/^-/.test(text) && Number.isNaN(Number(text))) ? `'${text}` : text;
  return /[",\r\n]|^ | $/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
};
const csv = (rows) => rows.map((row) => row.map((cell) => field(String(cell))).join(",") + "\r\n").join("");

// --- Theme ---------------------------------------------------------------------------------

const root = document.documentElement;
const isDark = () => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  return r + g + b < 384;
};
const repaints = [];
{
  const button = link("", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a page without storage forgets */ }
    settle();
  });
  const settle = () => {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
    repaints.forEach((paint) => paint());
  };
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch { /* as above */ }
  button.classList.add("theme");
  document.querySelector("header").append(button);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", settle);
  settle();
}

// --- Tables --------------------------------------------------------------------------------

const parts = (cell) => (cell.dataset.raw ?? "").split(";").map((v) => (v === "" ? NaN : Number(v)));
const suffixes = { text: [""], number: [""], spread: ["", " sd"], estimate: ["", " low", " high"] };
const fullText = (cell) => (cell.classList.contains("m") ? "" : (cell.title || cell.textContent).trim());

const toCsv = (table, rows) => {
  const heads = [...table.tHead.rows[0].cells];
  const missing = rows.some((row) => [...row.cells].some((cell) => cell.classList.contains("m")));
  const out = [heads.flatMap((h) => suffixes[h.dataset.shape].map((s) => fullText(h) + s))];
  if (missing) out[0].push("missing");
  for (const row of rows) {
    const line = [...row.cells].flatMap((cell, at) => {
      const width = suffixes[heads[at].dataset.shape].length;
      const values = cell.dataset.raw !== undefined ? cell.dataset.raw.split(";") : [fullText(cell)];
      return Array.from({ length: width }, (_, i) => values[i] ?? "");
    });
    if (missing) {
      line.push([...row.cells].flatMap((cell, at) => (cell.classList.contains("m") ? [`${fullText(heads[at])}: ${cell.title}`] : [])).join("; "));
    }
    out.push(line);
  }
  return csv(out);
};

const latex = (text) => {
  const known = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", "±": "$\\pm$", "×": "$\\times$", "−": "$-$", "÷": "$\\div$", "–": "--", "…": "\\ldots{}", "⏎": "$\\hookleftarrow$" };
  return [...text].map((c) => ("&%$#_{}".includes(c) ? `\\${c}` : known[c] ?? c)).join("");
};
const toLatex = (table, rows) => {
  const heads = [...table.tHead.rows[0].cells];
  const line = (cells) => cells.map((c) => latex(c.textContent.trim())).join(" & ") + " \\\\\n";
  const title = latex(table.caption.querySelector("strong").textContent);
  const long = rows.length > 40;
  const spec = heads.map((h) => (h.classList.contains("n") ? "r" : "l")).join("");
  const head = line(heads);
  const body = rows.map((row) => line([...row.cells])).join("");
  return long
    ? `% needs \\usepackage{booktabs,longtable}\n\\begin{longtable}{${spec}}\n\\caption{${title}}\\\\\n\\toprule\n${head}\\midrule\n\\endfirsthead\n\\toprule\n${head}\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n${body}\\end{longtable}\n`
    : `% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{${title}}\n\\begin{tabular}{${spec}}\n\\toprule\n${head}\\midrule\n${body}\\bottomrule\n\\end{tabular}\n\\end{table}\n`;
};

// Click a heading to sort; a third click restores the order of the record. Missing values last.
const sortable = (table) => {
  const body = table.tBodies[0];
  if (body.rows.length < 2) return;
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
      const order = next === undefined ? "ascending" : next;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      if (order) head.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const numeric = head.classList.contains("n");
      const keys = new Map(original.map((row) => [row, numeric ? parts(row.cells[column])[0] : row.cells[column].textContent.trim()]));
      const compare = (a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        if (!numeric) return (x === "") - (y === "") || sign * x.localeCompare(y, "en", { numeric: true });
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return sign * (x - y);
      };
      body.append(...(order ? [...original].sort(compare) : original));
      say(order ? `Sorted by ${head.textContent.trim()}, ${order}` : "Order of the record");
    });
  });
};

for (const sheet of document.querySelectorAll(".sheet")) {
  const table = sheet.querySelector("table");
  const body = table.tBodies[0];
  sortable(table);
  if (sheet.classList.contains("plain")) continue;
  const tools = make("div", { class: "tools" });
  const chosen = () => [...body.rows].filter((row) => !row.hidden);
  const name = sheet.dataset.name;
  const title = table.caption.querySelector("strong").textContent;
  if (body.rows.length > 5) {
    const shown = make("span", { role: "status" });
    const search = make("input", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows of ${title}` });
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = [...row.cells].map((c) => c.textContent).join(" ").toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
      }
      shown.textContent = words.length ? `${chosen().length} of ${body.rows.length} rows` : "";
    });
    tools.append(search, shown);
  }
  const numbers = [...body.querySelectorAll("[data-raw]")];
  if (numbers.some((cell) => cell.dataset.raw.includes("."))) {
    const all = link("All digits", () => {
      const raw = all.getAttribute("aria-pressed") !== "true";
      all.setAttribute("aria-pressed", String(raw));
      for (const cell of numbers) {
        cell.dataset.shown ??= cell.textContent;
        const [first, ...rest] = cell.dataset.raw.split(";");
        const ends = rest.filter((v) => v !== "");
        const digits = rest.length === 2 && ends.length === 2 ? `${first} [${ends.join(", ")}]` : ends.length ? `${first} ± ${ends[0]}` : first;
        cell.textContent = raw ? digits : cell.dataset.shown;
      }
    }, { "aria-pressed": "false" });
    tools.append(all);
  }
  tools.append(
    link("Copy CSV", () => copy(toCsv(table, chosen()), "CSV")),
    link("Copy LaTeX", () => copy(toLatex(table, chosen()), "LaTeX")),
    link("Save CSV", () => saveText(toCsv(table, chosen()), `${name}.csv`, "text/csv")),
  );
  // Below the title, above the rows; the table's name stays its title.
  table.setAttribute("aria-label", title);
  table.caption.append(tools);
}

// Copies of what is meant to be pasted.
for (const [id, what] of [["command", "Command"], ["bibtex", "BibTeX"]]) {
  const block = document.getElementById(id);
  block.after(make("div", { class: "tools" }, link(`Copy ${what === "BibTeX" ? what : "command"}`, () => copy(block.textContent, what))));
}

// --- Figures -------------------------------------------------------------------------------

const svgOf = (figure) => {
  const image = figure.querySelector(".frame > img");
  if (image) return decodeURIComponent(image.getAttribute("src").slice("data:image/svg+xml,".length));
  return new XMLSerializer().serializeToString(figure.querySelector(".frame > svg"));
};
const asPng = (svg, width, height) => new Promise((resolve, reject) => {
  const image = new Image(width, height);
  image.onload = () => {
    const canvas = make("canvas", {});
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no image"))), "image/png");
  };
  image.onerror = reject;
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
});
for (const files of document.querySelectorAll(".files")) {
  const figure = files.closest("figure");
  const id = files.dataset.figure;
  files.addEventListener("click", (event) => {
    const kind = event.target.closest("a")?.getAttribute("href").split(".").pop();
    if (kind === "svg") { event.preventDefault(); saveText(svgOf(figure), `${id}.svg`, "image/svg+xml"); }
    if (kind === "png") {
      event.preventDefault();
      const drawn = figure.querySelector(".frame > *");
      const [width, height] = [Number(drawn.getAttribute("width")), Number(drawn.getAttribute("height"))];
      asPng(svgOf(figure), width, height).then((blob) => save(blob, `${id}.png`), () => say("The image could not be made; save the SVG instead"));
    }
    // What is too long for the page is in the file beside it.
    if (kind === "csv" && data.behind[id]) { event.preventDefault(); saveText(data.behind[id], `${id}.csv`, "text/csv"); }
    if (kind === "csv" && maps.has(id)) { event.preventDefault(); maps.get(id)(); }
  });
}

// --- Contents ------------------------------------------------------------------------------

{
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      const id = entry.target.getAttribute("aria-labelledby") ?? entry.target.id;
      links.forEach((a) => a.removeAttribute("aria-current"));
      links.get(id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70%" });
  document.querySelectorAll("main > section").forEach((section) => watch.observe(section));
}

// --- Maps ----------------------------------------------------------------------------------

const maps = new Map();
const unpack = ({ width, data: text }) => {
  const bytes = atob(text);
  const n = bytes.length / width;
  const out = width === 1 ? new Uint8Array(n) : width === 2 ? new Uint16Array(n) : new Uint32Array(n);
  for (let i = 0, at = 0; i < n; i++) {
    let value = 0;
    for (let b = 0; b < width; b++, at++) value += bytes.charCodeAt(at) * 2 ** (8 * b);
    out[i] = value;
  }
  return out;
};
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
// Up to this many levels have shapes and colours of their own, as in the still figures.
const DISTINCT = 12;

// Shapes in the order of the still figures; `inside` asks for a point in units of the radius.
const polygon = (corners) => (x, y) => {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [[a, b], [c, d]] = [corners[i], corners[j]];
    if (b > y !== d > y && x < ((c - a) * (y - b)) / (d - b) + a) inside = !inside;
  }
  return inside;
};
const star = Array.from({ length: 10 }, (_, i) => {
  const [radius, angle] = [i % 2 ? 0.6 : 1.4, Math.PI * (i / 5 - 0.5)];
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
});
const SHAPES = [
  (x, y) => x * x + y * y <= 1,
  polygon([[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]]),
  polygon([[0, -1.15], [1.1, 0.8], [-1.1, 0.8]]),
  polygon([[0, -1.3], [1.15, 0], [0, 1.3], [-1.15, 0]]),
  polygon([[0, 1.15], [1.1, -0.8], [-1.1, -0.8]]),
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 1.3 && Math.min(Math.abs(x), Math.abs(y)) <= 0.45,
  polygon(star),
];
// Pixels that a mark covers: offsets and coverage of 0 to 255, by 4 x 4 samples a pixel.
const stamp = (shape, radius) => {
  const reach = Math.ceil(1.5 * radius);
  const out = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      let hits = 0;
      for (let s = 0; s < 16; s++) {
        const [x, y] = [dx + ((s % 4) - 1.5) / 4, dy + (Math.floor(s / 4) - 1.5) / 4];
        hits += SHAPES[shape](x / radius, y / radius);
      }
      if (hits) out.push([dx, dy, Math.min(256, hits * 16)]);
    }
  }
  return out;
};
// A colour that can be seen on the ground: mixed with ink until it stands out.
const luminance = (c) => {
  const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const visible = (colour, ground, ink) => {
  const contrast = (c) => {
    const [a, b] = [luminance(c), luminance(ground)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  let seen = colour;
  for (let step = 1; step <= 8 && contrast(seen) < (luminance(ground) > 0.5 ? 1.25 : 1.8); step++) seen = colour.map((v, i) => Math.round(v + ((ink[i] - v) * step) / 8));
  return seen;
};
// Multiples of a stride near the golden section: no group is painted over another.
const interleaved = (n) => {
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  let stride = Math.max(1, Math.floor(n * 0.618033988749895));
  while (n > 2 && gcd(stride, n) !== 1) stride++;
  return Uint32Array.from({ length: n }, (_, i) => (n > 2 ? (i * stride) % n : i));
};

const atlas = (group, list) => {
  const n = group.n;
  const rows = unpack(group.rows);
  const numbers = new Array(n);
  for (let i = 0, row = 0; i < n; i++) numbers[i] = row = (row + rows[i]) >>> 0;
  const by = group.by.map((c) => ({ ...c, codes: unpack(c.codes) }));
  for (const c of by) {
    c.counts = new Array(c.levels.length).fill(0);
    for (const code of c.codes) c.counts[code]++;
  }
  const order = interleaved(n);
  const state = { by: 0, lasso: false, picked: new Set(), selected: null, hover: -1 };
  const panels = list.map((map) => ({ map, x: unpack({ width: 2, data: map.x }), y: unpack({ width: 2, data: map.y }), zoom: 1, left: 0, top: 0, stale: true, seen: false }));
  const colouring = () => by[state.by];
  const active = (i) => (!state.selected || state.selected[i]) && (!state.picked.size || state.picked.has(colouring().codes[i]));

  // Controls shared by the maps, whose rows are the same.
  const status = make("span", { role: "status" });
  const mode = link("Lasso", () => {
    state.lasso = !state.lasso;
    mode.setAttribute("aria-pressed", String(state.lasso));
    frame.classList.toggle("lasso", state.lasso);
    say(state.lasso ? "Draw around points to choose them" : "Lasso off");
  }, { "aria-pressed": "false" });
  const saveButton = link("Save rows, CSV", () => saveText(pointsCsv(), `${slug(data.run)}-points.csv`, "text/csv"));
  const clear = link("Clear", () => { state.selected = null; state.picked.clear(); changed(); }, { disabled: true });
  const legend = make("ul", { class: "levels" });
  const legendTitle = make("span");
  const choice = make("fieldset", {}, make("legend", {}, "Colour by"), ...by.map((c, at) =>
    make("label", {}, make("input", { type: "radio", name: `by-${maps.size}`, value: String(at), checked: at === 0, on: { change: () => { state.by = at; state.picked.clear(); changed(); } } }), ` ${c.name}`)));
  const grid = make("div", { class: "grid" });
  const frame = make("div", { class: list.length === 1 ? "atlas single" : "atlas" },
    choice,
    make("div", { class: "tools", role: "group", "aria-label": "Tools of the maps" }, mode, saveButton, clear, status),
    make("div", { class: "body" }, grid, make("div", {}, legendTitle, legend)));

  const palette = () => {
    const [ground, ink] = isDark() ? [[22, 24, 26], [228, 228, 224]] : [[255, 255, 255], [34, 34, 34]];
    const faint = isDark() ? [58, 62, 66] : [224, 224, 220];
    return { ground, faint, colours: colouring().colours.map((c) => visible(rgb(c), ground, ink)) };
  };
  const shapeOf = (level) => (colouring().levels.length <= DISTINCT ? level % SHAPES.length : 0);

  const place = (panel, i) => {
    const side = panel.side;
    const x = 0.03 + (0.94 * panel.x[i]) / 65535;
    const y = 0.97 - (0.94 * panel.y[i]) / 65535;
    return [(x - panel.left) * panel.zoom * side, (y - panel.top) * panel.zoom * side];
  };

  // Marks are stamped into a buffer: 50,000 points cost a few milliseconds, whatever the device.
  const paint = (panel) => {
    const box = panel.box.clientWidth;
    if (!box) return;
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const side = Math.round(box * scale);
    if (panel.base.width !== side) {
      for (const canvas of [panel.base, panel.over]) canvas.width = canvas.height = side;
    }
    panel.side = side;
    panel.scale = scale;
    panel.stale = false;
    const { ground, faint, colours } = palette();
    const context = panel.base.getContext("2d");
    const image = context.createImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const word = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    pixels.fill(word(ground));
    const radius = scale * Math.min(3.2, Math.max(0.9, 280 / Math.sqrt(n))) * Math.min(2, Math.sqrt(panel.zoom));
    const reach = Math.ceil(1.5 * radius);
    const stamps = SHAPES.map((_, shape) => {
      const found = stamp(shape, radius);
      return { at: Int32Array.from(found, ([dx, dy]) => dy * side + dx), dx: Int32Array.from(found, (p) => p[0]), dy: Int32Array.from(found, (p) => p[1]), cover: Uint16Array.from(found, (p) => p[2]) };
    });
    const { codes, levels } = colouring();
    const shapes = levels.map((_, level) => stamps[shapeOf(level)]);
    const { x: xs, y: ys } = panel;
    const [step, left, top] = [(0.94 / 65535) * panel.zoom * side, (0.03 - panel.left) * panel.zoom * side, (0.97 - panel.top) * panel.zoom * side];
    // No allocation from here on: this runs once a point.
    const draw = (i, red, green, blue) => {
      const cx = Math.round(left + step * xs[i]);
      const cy = Math.round(top - step * ys[i]);
      if (cx < -reach || cy < -reach || cx >= side + reach || cy >= side + reach) return;
      const whole = cx >= reach && cy >= reach && cx < side - reach && cy < side - reach;
      const full = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
      const { at, dx, dy, cover } = shapes[codes[i]];
      const centre = cy * side + cx;
      for (let k = 0; k < at.length; k++) {
        if (!whole && (cx + dx[k] < 0 || cy + dy[k] < 0 || cx + dx[k] >= side || cy + dy[k] >= side)) continue;
        const place = centre + at[k];
        const c = cover[k];
        if (c > 250) { pixels[place] = full; continue; }
        const under = pixels[place];
        const r = (red * c + (under & 255) * (256 - c)) >> 8;
        const g = (green * c + ((under >> 8) & 255) * (256 - c)) >> 8;
        const b = (blue * c + ((under >> 16) & 255) * (256 - c)) >> 8;
        pixels[place] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
      }
    };
    const all = !state.selected && !state.picked.size;
    if (!all) for (let k = 0; k < n; k++) if (!active(order[k])) draw(order[k], faint[0], faint[1], faint[2]);
    for (let k = 0; k < n; k++) {
      const i = order[k];
      if (!all && !active(i)) continue;
      const colour = colours[codes[i]];
      draw(i, colour[0], colour[1], colour[2]);
    }
    context.putImageData(image, 0, 0);
    mark(panel);
  };

  // The layer above: the point looked at, and the lasso.
  const mark = (panel) => {
    if (panel.stale) return;
    const context = panel.over.getContext("2d");
    context.clearRect(0, 0, panel.side, panel.side);
    const style = getComputedStyle(document.body);
    if (state.hover >= 0) {
      const [x, y] = place(panel, state.hover);
      context.lineWidth = 2 * panel.scale;
      context.strokeStyle = style.color;
      context.beginPath();
      context.arc(x, y, 6 * panel.scale, 0, 7);
      context.stroke();
    }
    if (panel.path?.length > 1) {
      context.lineWidth = 1.5 * panel.scale;
      context.strokeStyle = style.color;
      context.setLineDash([5 * panel.scale, 4 * panel.scale]);
      context.beginPath();
      panel.path.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](x, y));
      context.closePath();
      context.stroke();
      context.setLineDash([]);
    }
  };

  // Points by cell of a grid over the coordinates, for the nearest one.
  const CELLS = 64;
  const cellOf = (v) => Math.min(CELLS - 1, (v * CELLS) >> 16);
  const index = (panel) => {
    if (panel.index) return panel.index;
    const starts = new Uint32Array(CELLS * CELLS + 1);
    const cell = (i) => cellOf(panel.y[i]) * CELLS + cellOf(panel.x[i]);
    for (let i = 0; i < n; i++) starts[cell(i) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
    const next = starts.slice();
    const points = new Uint32Array(n);
    for (let i = 0; i < n; i++) points[next[cell(i)]++] = i;
    return (panel.index = { starts, points });
  };
  const nearest = (panel, px, py, reach) => {
    const { starts, points } = index(panel);
    const unit = (p, start) => ((p / panel.side / panel.zoom + start - 0.03) / 0.94) * 65535;
    const [x, y] = [unit(px, panel.left), 65535 - unit(py, panel.top)];
    const r = (reach / panel.side / panel.zoom / 0.94) * 65535;
    const clamp = (v) => cellOf(Math.max(0, Math.min(65535, v)));
    let [best, distance] = [-1, r * r];
    for (let row = clamp(y - r); row <= clamp(y + r); row++) {
      for (let column = clamp(x - r); column <= clamp(x + r); column++) {
        const cell = row * CELLS + column;
        for (let at = starts[cell]; at < starts[cell + 1]; at++) {
          const i = points[at];
          const d = (panel.x[i] - x) ** 2 + (panel.y[i] - y) ** 2;
          if (d <= distance && active(i)) [best, distance] = [i, d];
        }
      }
    }
    return best;
  };

  const describe = (i) => by.map((c) => [c.name, c.levels[c.codes[i]]]);
  const look = (panel, i) => {
    state.hover = i;
    for (const other of panels) {
      mark(other);
      other.tip.hidden = true;
    }
    if (i < 0) return;
    const tip = panel.tip;
    tip.replaceChildren(...describe(i).map(([name, level]) => make("div", {}, make("b", {}, `${name} `), make("bdi", {}, level))), make("div", {}, make("b", {}, "row "), String(numbers[i])));
    tip.hidden = false;
    const [x, y] = place(panel, i).map((v) => v / panel.scale);
    const width = panel.box.clientWidth;
    tip.style.left = `${Math.max(0, Math.min(x + 12, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 14 + tip.offsetHeight > width ? Math.max(0, y - tip.offsetHeight - 12) : y + 14}px`;
  };

  const inPath = (path, x, y) => {
    let inside = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [[a, b], [c, d]] = [path[i], path[j]];
      if (b > y !== d > y && x < ((c - a) * (y - b)) / (d - b) + a) inside = !inside;
    }
    return inside;
  };
  const choose = (panel) => {
    const path = panel.path;
    panel.path = null;
    if (path.length < 3) return mark(panel);
    const selected = new Uint8Array(n);
    let found = 0;
    for (let i = 0; i < n; i++) {
      const [x, y] = place(panel, i);
      if (inPath(path, x, y) && (!state.picked.size || state.picked.has(colouring().codes[i]))) { selected[i] = 1; found++; }
    }
    state.selected = found ? selected : null;
    changed();
    if (!found) say("No point lies in the lasso");
  };

  const pointsCsv = () => {
    const out = [["row", ...by.map((c) => c.name), ...panels.flatMap((p) => [`${p.map.model} x`, `${p.map.model} y`])]];
    for (let i = 0; i < n; i++) {
      if (active(i)) out.push([numbers[i], ...by.map((c) => c.levels[c.codes[i]]), ...panels.flatMap((p) => [p.x[i], p.y[i]])]);
    }
    return csv(out);
  };

  const drawLegend = () => {
    const c = colouring();
    const { colours } = palette();
    legendTitle.textContent = `${c.name}, ${count(c.levels.length)} ${c.levels.length === 1 ? "level" : "levels"}`;
    legend.setAttribute("aria-label", `Levels of ${c.name}; choose to highlight`);
    legend.replaceChildren(...c.levels.map((level, at) => {
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      for (const [key, value] of Object.entries({ width: "13", height: "13", viewBox: "-1.6 -1.6 3.2 3.2", "aria-hidden": "true" })) swatch.setAttribute(key, value);
      swatch.append(outline(shapeOf(at), colours[at]));
      const name = make("bdi", {}, level.length > 40 ? `${level.slice(0, 39)}…` : level);
      return make("li", {}, make("button", { type: "button", title: level, "aria-pressed": String(state.picked.has(at)), on: { click: () => {
        if (!state.picked.delete(at)) state.picked.add(at);
        changed();
        legend.children[at].firstChild.focus();
      } } }, swatch, name, make("span", { class: "count" }, count(c.counts[at]))));
    }));
  };
  const outline = (shape, [r, g, b]) => {
    // The swatch samples the same shape as the map, row by row.
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    let d = "";
    for (let y = -1.5; y < 1.5; y += 0.1) {
      let start = null;
      for (let x = -1.5; x <= 1.55; x += 0.1) {
        const inside = x < 1.5 && SHAPES[shape](x + 0.05, y + 0.05);
        if (inside && start === null) start = x;
        if (!inside && start !== null) { d += `M${start.toFixed(2)} ${y.toFixed(2)}H${x.toFixed(2)}v.11H${start.toFixed(2)}z`; start = null; }
      }
    }
    path.setAttribute("d", d);
    path.setAttribute("fill", `rgb(${r} ${g} ${b})`);
    return path;
  };

  const changed = () => {
    state.hover = -1;
    for (const panel of panels) {
      panel.stale = true;
      panel.tip.hidden = true;
      if (panel.seen) paint(panel);
    }
    drawLegend();
    const all = !state.selected && !state.picked.size;
    clear.disabled = all;
    const c = colouring();
    const counts = new Map();
    let total = 0;
    if (!all) for (let i = 0; i < n; i++) if (active(i)) { total++; counts.set(c.codes[i], (counts.get(c.codes[i]) ?? 0) + 1); }
    const most = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 4).map(([level, k]) => `\u2068${c.levels[level].slice(0, 30)}\u2069 ${count(k)}`);
    status.textContent = all ? "" : `${count(total)} of ${count(n)} points: ${most.join(", ")}${counts.size > 4 ? ", …" : ""}`;
    saveButton.textContent = all ? `Save all ${count(n)} rows, CSV` : `Save ${count(total)} rows, CSV`;
  };

  const zoom = (panel, factor, px = panel.side / 2, py = panel.side / 2) => {
    const next = Math.max(1, Math.min(64, panel.zoom * factor));
    const [u, v] = [panel.left + px / panel.side / panel.zoom, panel.top + py / panel.side / panel.zoom];
    panel.zoom = next;
    shift(panel, u - px / panel.side / next, v - py / panel.side / next);
  };
  const shift = (panel, left, top) => {
    const limit = 1 - 1 / panel.zoom;
    panel.left = Math.max(0, Math.min(limit, left));
    panel.top = Math.max(0, Math.min(limit, top));
    panel.figure.classList.toggle("zoomed", panel.zoom > 1);
    panel.tip.hidden = true;
    paint(panel);
  };
  // The next point in a direction, for arrow keys: near, and more ahead than aside.
  const step = (panel, [ux, uy]) => {
    if (state.hover < 0) return look(panel, nearest(panel, panel.side / 2, panel.side / 2, panel.side));
    const [x, y] = place(panel, state.hover);
    let [best, cost] = [-1, Infinity];
    for (let i = 0; i < n; i++) {
      if (i === state.hover || !active(i)) continue;
      const [px, py] = place(panel, i);
      const [dx, dy] = [px - x, py - y];
      const ahead = dx * ux + dy * uy;
      const aside = Math.abs(dx * uy - dy * ux);
      if (ahead < 4 * panel.scale || aside > ahead || px < 0 || py < 0 || px > panel.side || py > panel.side) continue;
      if (ahead + 2 * aside < cost) [best, cost] = [i, ahead + 2 * aside];
    }
    if (best >= 0) look(panel, best);
  };

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const panel = panels.find((p) => p.box === entry.target);
      panel.seen = entry.isIntersecting;
      if (panel.seen && panel.stale) paint(panel);
    }
  }, { rootMargin: "400px" });
  const size = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const panel = panels.find((p) => p.box === entry.target);
      panel.stale = true;
      if (panel.seen) paint(panel);
    }
  });

  for (const panel of panels) {
    const { map } = panel;
    panel.base = make("canvas", { "aria-hidden": "true" });
    panel.over = make("canvas", { tabindex: "0", role: "application", "aria-label": `${map.method} of ${map.model}, ${map.note}. Arrow keys go from point to point, Enter highlights the level of a point, plus and minus zoom, Escape clears.` });
    panel.tip = make("div", { class: "tip", role: "status", hidden: true });
    panel.box = make("div", { class: "box" }, panel.base, panel.over, panel.tip);
    panel.figure = make("figure", { class: "map" }, panel.box,
      make("figcaption", {}, make("strong", {}, `${map.method} of `, make("bdi", {}, map.model), ". "), `${map.note}.${map.trust ? ` Trustworthiness ${map.trust}.` : ""}`),
      make("div", { class: "tools" }, link("Zoom in", () => zoom(panel, 1.6)), link("Zoom out", () => zoom(panel, 1 / 1.6)), link("Whole map", () => { panel.zoom = 1; shift(panel, 0, 0); })));
    grid.append(panel.figure);
    maps.set(map.id, () => saveText(pointsCsv(), `${map.id}.csv`, "text/csv"));

    const at = (event) => {
      const box = panel.over.getBoundingClientRect();
      return [(event.clientX - box.left) * panel.scale, (event.clientY - box.top) * panel.scale];
    };
    let drag = null;
    panel.over.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      if (state.lasso) panel.path = [at(event)];
      else if (panel.zoom > 1) drag = { from: at(event), left: panel.left, top: panel.top };
      else return;
      panel.over.setPointerCapture(event.pointerId);
    });
    panel.over.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (panel.path) {
        panel.path.push([x, y]);
        return mark(panel);
      }
      if (drag) return shift(panel, drag.left - (x - drag.from[0]) / panel.side / panel.zoom, drag.top - (y - drag.from[1]) / panel.side / panel.zoom);
      const found = nearest(panel, x, y, 9 * panel.scale);
      if (found !== state.hover || panel.tip.hidden) look(panel, found);
    });
    panel.over.addEventListener("pointerup", () => {
      drag = null;
      if (panel.path) choose(panel);
    });
    panel.over.addEventListener("pointercancel", () => { drag = null; panel.path = null; mark(panel); });
    panel.over.addEventListener("pointerleave", () => { if (!panel.path) look(panel, -1); });
    panel.over.addEventListener("dblclick", (event) => zoom(panel, 2, ...at(event)));
    panel.over.addEventListener("wheel", (event) => {
      // Plain scrolling belongs to the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(panel, event.deltaY < 0 ? 1.3 : 1 / 1.3, ...at(event));
    }, { passive: false });
    panel.over.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (ways[event.key]) step(panel, ways[event.key]);
      else if (event.key === "Enter" && state.hover >= 0) { state.picked.add(colouring().codes[state.hover]); changed(); }
      else if (event.key === "+") zoom(panel, 1.6);
      else if (event.key === "-") zoom(panel, 1 / 1.6);
      else if (event.key === "Escape") { state.selected = null; state.picked.clear(); changed(); }
      else return;
      event.preventDefault();
    });
    panel.over.addEventListener("blur", () => look(panel, -1));
    sight.observe(panel.box);
    size.observe(panel.box);
  }
  repaints.push(changed);
  changed();
  return frame;
};

const live = document.getElementById("live");
if (live && data.maps.list.length) {
  data.maps.groups.forEach((group, at) => live.append(atlas(group, data.maps.list.filter((map) => map.group === at))));
  const stills = document.getElementById("stills");
  stills.classList.add("folded");
  const show = link("Show still figures", () => {
    const folded = stills.classList.toggle("folded");
    show.textContent = folded ? "Show still figures" : "Hide still figures";
    show.setAttribute("aria-expanded", String(!folded));
  }, { "aria-expanded": "false", "aria-controls": "stills" });
  live.append(make("p", { class: "small" }, "Double-click or hold Ctrl and scroll to zoom. Choosing levels or drawing a lasso chooses the same rows in every map. ", show));
}

// --- Plates --------------------------------------------------------------------------------

const board = document.getElementById("wells");
if (board && data.plates) {
  const { rows, columns, chance, of } = data.plates;
  const factor = (named) => named && { names: named.names, codes: unpack(named.codes) };
  const [place, plate, label, compound] = [unpack(data.plates.place), factor(data.plates.plate), factor(data.plates.label), factor(data.plates.compound)];
  const outcomes = of.map((o) => ({ ...o, share: unpack(o.share), tested: unpack(o.tested) }));
  const letter = (row) => (row < 26 ? "" : String.fromCharCode(64 + Math.floor(row / 26))) + String.fromCharCode(65 + (row % 26));
  const nameOf = (at) => `${letter(Math.floor(at / columns))}${String((at % columns) + 1).padStart(2, "0")}`;
  // The colours of the still maps: orange below chance, white at it, blue above.
  const mix = (a, b, t) => `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * t)).join(" ")})`;
  const [white, blue, dark, orange] = [[255, 255, 255], [86, 160, 211], [8, 48, 107], [179, 72, 0]];
  const colour = (share) => {
    if (share < chance) return mix(white, orange, (chance - share) / chance);
    const t = chance < 1 ? (share - chance) / (1 - chance) : 0;
    return t < 0.5 ? mix(white, blue, 2 * t) : mix(blue, dark, 2 * t - 1);
  };
  const options = (names) => names.map((name, at) => make("option", { value: String(at) }, name));
  const plates = make("select", { "aria-label": "Plate" }, ...options(plate.names));
  const views = make("select", { "aria-label": "Model and split" }, ...options(outcomes.map((o) => `${o.model}, ${o.split}`)));
  const about = make("p", { class: "about", role: "status" });
  const summary = make("p", { class: "small" });
  const cells = Array.from({ length: rows * columns }, () => make("td"));
  const step = columns > 24 ? 4 : columns > 12 ? 2 : 1;
  const table = make("table", {},
    make("caption", {}, make("strong", {}, "One plate, well by well")),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "\u00a0"), ...Array.from({ length: columns }, (_, c) => make("th", { scope: "col" }, c % step ? "\u00a0" : String(c + 1))))),
    make("tbody", {}, ...Array.from({ length: rows }, (_, r) => make("tr", {}, make("th", { scope: "row" }, letter(r)), ...cells.slice(r * columns, (r + 1) * columns)))));
  const frame = make("div", { class: "board", tabindex: "0", role: "application", "aria-label": "Wells of the plate; arrow keys go from well to well" }, table);
  let [wells, at] = [new Map(), -1];
  const told = (unit) => {
    const o = outcomes[views.value];
    const what = [label && `\u2068${label.names[label.codes[unit]]}\u2069`, compound && `\u2068${compound.names[compound.codes[unit]]}\u2069`].filter(Boolean).join(", ");
    const share = o.tested[unit] ? `${o.share[unit]} % of ${count(o.tested[unit])} tested rows correct` : "not tested here";
    return `${nameOf(place[unit])}${what ? `, ${what}` : ""}: ${share}`;
  };
  const look = (next) => {
    cells[at]?.classList.remove("on");
    at = next;
    cells[at]?.classList.add("on");
    about.textContent = at < 0 ? "" : wells.has(at) ? told(wells.get(at)) : `${nameOf(at)}: no tested well`;
  };
  const show = () => {
    const o = outcomes[views.value];
    wells = new Map();
    plate.codes.forEach((code, unit) => { if (code === Number(plates.value)) wells.set(place[unit], unit); });
    let [correct, tested] = [0, 0];
    cells.forEach((cell, i) => {
      const unit = wells.get(i);
      const known = unit !== undefined && o.tested[unit] > 0;
      cell.style.background = known ? colour(o.share[unit] / 100) : "";
      cell.title = unit === undefined ? "" : told(unit);
      if (unit === undefined) cell.removeAttribute("aria-label"); else cell.setAttribute("aria-label", told(unit));
      if (known) { correct += (o.share[unit] / 100) * o.tested[unit]; tested += o.tested[unit]; }
    });
    summary.textContent = tested ? `${count(wells.size)} wells, ${Math.round((100 * correct) / tested)} % of ${count(tested)} tested rows correct; white is chance (${Math.round(100 * chance)} %), blue above, orange below.` : "No well of this plate was tested on this split.";
    look(-1);
  };
  const go = (by) => { plates.value = String((Number(plates.value) + by + plate.names.length) % plate.names.length); show(); };
  cells.forEach((cell, i) => cell.addEventListener("pointerenter", () => look(i)));
  frame.addEventListener("pointerleave", () => look(-1));
  frame.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = at < 0 ? 0 : at + by;
    if (next >= 0 && next < cells.length) look(next);
  });
  plates.addEventListener("change", show);
  views.addEventListener("change", show);
  const file = () => csv([["plate", "position", "label", "compound", "model", "split", "share", "tested"], ...[...wells].sort((a, b) => a[0] - b[0]).map(([i, unit]) => {
    const o = outcomes[views.value];
    return [plate.names[plates.value], nameOf(i), label ? label.names[label.codes[unit]] : "", compound ? compound.names[compound.codes[unit]] : "", o.model, o.split, o.tested[unit] ? o.share[unit] / 100 : "", o.tested[unit]];
  })]);
  board.append(
    make("div", { class: "choose" }, make("label", {}, "Plate ", plates), make("label", {}, "seen by ", views)),
    make("div", { class: "tools" }, link("Previous plate", () => go(-1)), link("Next plate", () => go(1)), link("Save wells, CSV", () => saveText(file(), `${slug(plate.names[plates.value])}-wells.csv`, "text/csv"))),
    frame, about, summary);
  show();
}

// Everything at once, for searching and printing.
{
  const folds = [...document.querySelectorAll("main details")];
  const button = link("Open all folded parts", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    folds.forEach((fold) => { fold.open = open; });
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Close all folded parts" : "Open all folded parts";
  }, { "aria-pressed": "false" });
  document.querySelector("nav").append(make("div", { class: "tools" }, button));
}
})();
