"use strict";
// Sorts a table by the column whose heading is pressed; empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(table, heading));
  }
}

function sort(table, heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const numeric = heading.classList.contains("number");
  const column = heading.cellIndex;
  const value = (row) => {
    const cell = row.cells[column];
    return numeric ? Number(cell.dataset.value ?? NaN) : cell.textContent;
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (!numeric) return direction * x.localeCompare(y, "en", { numeric: true });
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return direction * (x - y);
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  table.dispatchEvent(new Event("sorted"));
}

// Shows the first cells that have all the words and the verdict; all of them once that was asked for. A word such as S=8
// asks for the value of the column of that heading.
for (const bar of document.querySelectorAll(".filter")) {
  const [words, verdict] = bar.querySelectorAll("input, select");
  const more = bar.querySelector(".more");
  const table = bar.nextElementSibling.querySelector("table");
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim().toLowerCase());
  let limit = Number(bar.dataset.shown);
  const has = (row, text, word) => {
    const end = word.indexOf("=");
    const column = end < 0 ? -1 : headings.indexOf(word.slice(0, end));
    return column < 0 ? text.includes(word) : row.cells[column].textContent.trim().toLowerCase() === word.slice(end + 1);
  };
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    let found = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      const fits = verdict.value === "" || row.querySelector(".verdict").textContent === verdict.value;
      const matches = fits && wanted.every((word) => has(row, text, word));
      found += matches;
      row.hidden = !matches || found > limit;
    }
    bar.querySelector("output").textContent = `${Math.min(found, limit)} of ${table.tBodies[0].rows.length} cells`;
    more.hidden = found <= limit;
  };
  words.addEventListener("input", filter);
  verdict.addEventListener("change", filter);
  table.addEventListener("sorted", filter);
  more.addEventListener("click", () => { limit = Infinity; filter(); });
}

// A figure as a file of its own, in the colours for white paper.
for (const link of document.querySelectorAll("a.download")) {
  link.addEventListener("click", () => {
    const picture = link.closest("figure").querySelector("svg, img");
    if (picture.tagName === "IMG") {
      link.href = picture.src;
      return;
    }
    const source = new XMLSerializer().serializeToString(picture);
    const svg = source.replaceAll("var(--ink)", "#24292f").replaceAll("var(--line)", "#d4d9df");
    link.href = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  });
}
