"use strict";
(() => {
  const list = document.getElementById("errors");
  const controls = document.getElementById("browse");
  if (!list || !controls) return;
  const items = [...list.children];
  const [search, slice, category, order] = ["search", "slice", "category", "order"].map((id) => document.getElementById(id));
  const shown = document.getElementById("shown");
  const texts = new Map();
  const text = (item) => {
    if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
    return texts.get(item);
  };
  const number = (item, key) => Number(item.dataset[key]);
  const orders = {
    confidence: (a, b) => number(b, "confidence") - number(a, "confidence"),
    change: (a, b) => number(a, "change") - number(b, "change"),
    data: (a, b) => number(a, "row") - number(b, "row"),
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      const fits =
        (!slice.value || item.dataset.slices.split(" ").includes(slice.value)) &&
        (!category.value || item.dataset.category === category.value) &&
        words.every((word) => text(item).includes(word));
      item.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = `${count} of ${items.length} shown`;
  };
  const sort = () => list.append(...items.sort(orders[order.value]));
  for (const control of [search, slice, category]) control.addEventListener("input", filter);
  order.addEventListener("input", sort);
  // A browser may bring back what was chosen before the page was loaded again.
  sort();
  filter();
  controls.hidden = false;
})();
