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
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
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
  });
}
// Paper cannot be clicked.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
