"use strict";
// Switches: the answer for every combination was computed from the snapshot; here it is only looked up.
for (const box of document.querySelectorAll("[data-switches]")) {
  const answers = JSON.parse(document.getElementById(box.dataset.switches).textContent);
  const output = box.querySelector("output");
  const boxes = [...box.querySelectorAll("input[type=checkbox]")];
  const show = () => {
    let mask = 0;
    boxes.forEach((input, bit) => { if (input.checked) mask |= 1 << bit; });
    output.textContent = answers[mask];
  };
  boxes.forEach((input) => input.addEventListener("change", show));
  show();
}
// A long table shows its first rows and a button for the rest; without script it shows all.
for (const table of document.querySelectorAll("table[data-most]")) {
  const most = Number(table.dataset.most), rows = table.tBodies[0].rows;
  if (rows.length <= most + 2) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "all";
  let isWhole = false;
  const show = () => {
    [...rows].forEach((row, number) => { row.hidden = !isWhole && number >= most; });
    button.textContent = isWhole ? `Show the first ${most}` : `Show all ${rows.length}`;
  };
  button.addEventListener("click", () => { isWhole = !isWhole; show(); });
  table.addEventListener("sorted", show);
  table.after(button);
  show();
}
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table"), body = table.tBodies[0];
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    });
    if (down) rows.reverse();
    body.append(...rows);
    table.dispatchEvent(new Event("sorted"));
  });
}
// The filter looks at all that is said of a leak, open or not.
const filter = document.getElementById("filter");
if (filter !== null) {
  filter.closest("p").hidden = false;
  const output = filter.closest("p").querySelector("output");
  const said = new Map();
  for (const leak of document.querySelectorAll("details.leak")) said.set(leak.dataset.leak, leak.textContent.toLowerCase());
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    const met = new Set([...said].filter(([, text]) => text.includes(wanted)).map(([number]) => number));
    for (const each of document.querySelectorAll(".filtered")) each.hidden = !met.has(each.dataset.leak);
    for (const rest of document.querySelectorAll("details.rest")) rest.open = wanted !== "";
    const table = document.querySelector("table.index");
    if (!wanted) table.dispatchEvent(new Event("sorted"));
    output.textContent = wanted ? `${met.size} of ${said.size}` : "";
  });
}
for (const button of document.querySelectorAll("#leaks button.all")) {
  button.hidden = false;
  const word = button.textContent;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Close all" : word;
    for (const leak of document.querySelectorAll("details.leak, details.rest")) leak.open = open;
  });
}
for (const link of document.querySelectorAll("nav a[href^='#leak-']")) {
  link.addEventListener("click", () => {
    let each = document.getElementById(link.hash.slice(1));
    while ((each = each.parentElement.closest("details")) !== null) each.open = true;
  });
}
// Paper cannot be clicked.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details[data-paper]")) details.open = true;
});
